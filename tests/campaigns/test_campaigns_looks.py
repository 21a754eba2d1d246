"""A department's colours, and the contrast they must keep."""

from __future__ import annotations

import pytest

from tests.campaigns.conftest import GOOD

LOOK = 'from = "Public Works <works@city.example>"\n\n[look]\naccent = "{}"\n'


def sender(city, text: str) -> None:
    (city.root / "senders" / "works.toml").write_text(text, "utf-8")


def shown(city) -> str:
    city.run("templates", "preview", city.write(GOOD), "--out", "seen")
    return (city.root / "seen" / "sweeping.en.typical.html").read_text("utf-8")


def test_a_sender_has_its_own_colours(city):
    assert "#1b5e20" not in shown(city)
    sender(city, LOOK.format("#1b5e20"))
    assert "#1b5e20" in shown(city)
    sender(city, LOOK.format("#1b5e20").replace("works@", "parks@"))
    assert "#1b5e20" not in shown(city)


def test_colours_that_cannot_be_read_are_stopped_by_the_gate(city):
    sender(city, LOOK.format("#9ccc9c"))
    found = city.json("campaigns", "check", city.write(GOOD), code=6)["findings"]
    assert [finding["check"] for finding in found] == ["accessibility"]
    assert '"See your street" has a contrast of' in found[0]["problem"]
    assert found[0]["place"] == "campaigns/sweeping.md, line 12"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[look]\naccent = "#123456"\n', "It needs from"),
        (LOOK.format("red"), "write a colour as in #0b5c8a"),
        (LOOK.format("#123456").replace("accent", "accnet"), "has no accnet"),
        ("from = [", "cannot be used"),
    ],
)
def test_a_file_that_is_wrong_is_named(text, said, city):
    sender(city, text)
    assert said in city.run("templates", "preview", city.write(GOOD), "--out", "seen", code=None).stderr
