"""One person, one key: what people paste is understood, and everything else is refused in words."""

import json
from pathlib import Path
from random import Random

import pytest
from email_validator import EmailNotValidError, validate_email

from outreach.addresses import BadAddress, fold, normalise, plain_forms, strip


@pytest.mark.parametrize(
    ("pasted", "address"),
    [
        ("ada@city.example", "ada@city.example"),
        ("  ADA@City.Example ", "ada@city.example"),
        ("mailto:ada@city.example", "ada@city.example"),
        ("MAILTO:ada@city.example?subject=Hello", "ada@city.example"),
        ("<ada@city.example>", "ada@city.example"),
        ("Ada Lovelace <Ada@city.example>", "ada@city.example"),
        ('"ada@city.example" <ada@city.example>', "ada@city.example"),
        ("<mailto:ada@city.example>", "ada@city.example"),
        ("ada@city.example;", "ada@city.example"),
        ("'ada@city.example'", "ada@city.example"),
        ("\ufeffada@city.example\u200b", "ada@city.example"),
        ("\u00a0ada@city.example\u00a0", "ada@city.example"),
        ("o'neill+bins@city.example", "o'neill+bins@city.example"),
        ("jeff@臺網中心.tw", "jeff@xn--fiqq24b10vi0d.tw"),
        ("ada@BÜCHER.example", "ada@xn--bcher-kva.example"),
        ("ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example"),
        ("ada@straße.example", "ada@xn--strae-oqa.example"),
    ],
)
def test_what_people_paste_is_understood(pasted: str, address: str) -> None:
    assert normalise(pasted) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "not an address",
        "missing-at.example",
        "@nolocal.example",
        "nodomain@",
        "a@b",
        "two@@at.example",
        "a b@space.example",
        "tab\t@x.example",
        "newline\n@x.example",
        "comma,in@x.example",
        'quoted"x@y.example',
        ".lead@dot.example",
        "dot.@end.example",
        "a@b..example",
        "trailing@dot.com.",
        "x@-dash.example",
        "x@exa mple.com",
        "ünïcode@bücher.example",
        "=cmd|'/c calc'!A1",
        "a@b.example<d@evil.example>",
        "a@b.example,evil@x.example",
        "alice@example.org)bob@evil.example",
        '"x"@y.example',
        "a@[127.0.0.1]",
        "a@localhost",
        "a@city.example\u202e",
        "a" * 250 + "@city.example",
        "a@" + "b" * 250 + ".example",
    ],
)
def test_anything_else_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(BadAddress) as refused:
        normalise(text)
    assert str(refused.value)


def test_the_verdict_is_email_validators_for_each_of_its_own_cases(shared: Path) -> None:
    different = []
    for line in (shared / "corpora/email-validator/cases.jsonl").read_text("utf-8").splitlines():
        text = json.loads(line).get("email_input", "")
        try:
            found = validate_email(strip(text), check_deliverability=False, allow_smtputf8=False)
            expected = found.ascii_email.lower() if found.ascii_email else None
        except EmailNotValidError:
            expected = None
        try:
            ours = normalise(text)
        except BadAddress:
            ours = None
        if ours != expected:
            different.append((text, expected, ours))
    assert different == []


def test_the_verdict_is_email_validators_for_a_hundred_thousand_made_up_addresses() -> None:
    dice = Random(296)
    domains = [
        f"{word}{number}.example" for word in ("mail", "Büro", "x-y", "-bad", "a..b", "под") for number in range(40)
    ]
    domains += [
        "localhost",
        "192.0.2.1",
        "[192.0.2.1]",
        "example",
        "a" * 64 + ".example",
        "co_op.example",
        "ex ample.org",
    ]
    letters = "aZ09.+-_'!#$%&*/=?^`{|}~ @,;:\\\"()éß你"
    different = []
    written = {}
    for _ in range(100_000):
        local = "".join(dice.choices(letters, weights=[40] * 12 + [1] * (len(letters) - 12), k=dice.randint(0, 12)))
        text = f"{local}@{dice.choice(domains)}"
        expected = verdict(text)
        try:
            ours = normalise(text)
        except BadAddress:
            ours = None
        if ours != expected:
            different.append((text, expected, ours))
        written[text] = ours
    assert different == []
    quick = plain_forms(written)
    assert [said for said in zip(quick, written.values(), strict=True) if said[0] not in (None, said[1])] == []
    assert sum(one is not None for one in quick) > len(written) / 10


def verdict(text: str) -> str | None:
    """email-validator's own, of the whole address."""
    try:
        found = validate_email(strip(text), check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        return None
    return found.ascii_email.lower() if found.ascii_email else None


def test_a_topic_is_found_whatever_its_spelling() -> None:
    assert fold("Parking  & Street Sweeping ") == fold("parking & street sweeping")
    assert fold("Ｒoad works") == "road works"
