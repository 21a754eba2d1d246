"""An invitation to a date: the one part that may come along, and a calendar can read it."""

from __future__ import annotations

import datetime as dt
import email
import email.policy

import dkim as dkimpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.campaigns.dates import read
from outreach.errors import OutreachError
from outreach.preflight.invitation import check
from outreach.rendering.dkim import dns_record
from outreach.rendering.invitation import Event, calendar, folded
from outreach.testing import FaultServer
from tests.campaigns.conftest import GOOD

ZONE = "America/Los_Angeles"
OPEN_DAY = "event: Open day, bring a friend; 2026-12-05 10:00 to 16:00 America/Los_Angeles; Town Hall"


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("Council; 2026-12-08 18:00 to 20:00; Town Hall, 1 Main Street",
         Event("Council", utc("2026-12-09 02:00"), utc("2026-12-09 04:00"), "Town Hall, 1 Main Street")),
        ("Market; 2026-12-05 10:00 to 2026-12-06 18:00",
         Event("Market", utc("2026-12-05 18:00"), utc("2026-12-07 02:00"))),
        ("Call; 2026-07-01 09:00 to 09:30 Europe/Berlin",
         Event("Call", utc("2026-07-01 07:00"), utc("2026-07-01 07:30"))),
    ],
)  # fmt: skip
def test_an_event_is_written_in_a_line(text, event):
    assert read(text, default_zone=ZONE) == event


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Council", "say what, when and where"),
        ("; 2026-12-08 18:00 to 20:00", "say what, when and where"),
        ("a; b; c; d", "say what, when and where"),
        ("Council; 2026-12-08 18:00", "does not say until when"),
        ("Council; tomorrow to 20:00", "is no time we can read"),
        ("Council; 2026-12-08 18:00 to 17:00", "ends before it begins"),
        ("Council; 2026-12-08 18:00 to 20:00 Mars/Olympus", "is no time zone"),
        ("Hello {{ first_name }}; 2026-12-08 18:00 to 20:00", "the same for everybody"),
        ("Council; 2026-12-08 18:00 to 20:00; " + "x" * 201, "at most 200"),
        ("Coun\x85cil; 2026-12-08 18:00 to 20:00", "control character"),
    ],
)
def test_what_is_no_event_says_how_one_is_written(text, said):
    with pytest.raises(OutreachError) as refused:
        read(text, default_zone=ZONE)
    assert said in str(refused.value)


def unfolded(text: str) -> list[str]:
    """As RFC 5545 (3.1) has it read."""
    return text.replace("\n ", "").split("\n")[:-1]


def unescaped(value: str) -> str:
    out, letters = "", iter(value)
    for letter in letters:
        following = next(letters, "") if letter == "\\" else ""
        out += {"n": "\n", "N": "\n"}.get(following, following) if letter == "\\" else letter
    return out


WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=200)


@given(title=WORDS, place=WORDS, name=WORDS)
def test_whatever_the_words_a_calendar_reads_them_as_they_were(title, place, name):
    event = Event(title, utc("2026-12-08 18:00"), utc("2026-12-08 20:00"), place)
    written = calendar(event, source="council", name=name, address="works@city.example")
    assert max(len(line.encode()) for line in written.split("\n")) <= 75
    lines = unfolded(written)
    assert (lines[0], lines[-1]) == ("BEGIN:VCALENDAR", "END:VCALENDAR")
    found = {key: value for key, _, value in (line.partition(":") for line in lines)}
    assert unescaped(found["SUMMARY"]) == title
    assert unescaped(found["LOCATION"]) == place
    assert [line.partition(":")[0] for line in lines if not line.startswith("ORGANIZER")] == [
        "BEGIN", "VERSION", "PRODID", "METHOD", "BEGIN", "UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "LOCATION",
        "END", "END",
    ]  # fmt: skip


@given(WORDS)
def test_folding_divides_no_letter(text):
    assert folded(text).replace("\n ", "") == text


def test_it_comes_along_with_the_message_and_is_made_when_the_message_is(city):
    plan = city.json("campaigns", "plan", city.write(GOOD.replace("from:", f"{OPEN_DAY}\nfrom:")))["plan"]
    city.run("campaigns", "approve", plan, "--by", "Dana Lee")
    with FaultServer() as server:
        city.run("campaigns", "send", plan, "--yes", OUTREACH_RELAY_URL=f"smtp://127.0.0.1:{server.port}")
        contents = [envelope.content for envelope in server.accepted]
    message = email.message_from_bytes(contents[0], policy=email.policy.SMTP)
    assert message.get_content_type() == "multipart/mixed"
    readable, invitation = message.iter_parts()
    assert [part.get_content_type() for part in readable.iter_parts()] == ["text/plain", "text/html"]
    assert invitation["Content-Type"].params == {"charset": "utf-8", "method": "PUBLISH", "name": "event.ics"}
    written = invitation.get_payload(decode=True).decode()
    lines = written.replace("\r\n ", "").split("\r\n")
    made = email.utils.parsedate_to_datetime(message["Date"])
    assert f"DTSTAMP:{made:%Y%m%dT%H%M%SZ}" in lines
    assert "DTSTART:20261205T180000Z" in lines
    assert "SUMMARY:Open day\\, bring a friend" in lines
    assert 'ORGANIZER;CN="Public Works":mailto:works@city.example' in lines
    assert not message.defects
    public = dns_record((city.root / "keys" / "dkim.pem").read_bytes())
    assert dkimpy.verify(contents[0], dnsfunc=lambda name, timeout=5: public.encode())


def test_a_later_mail_about_the_same_hour_changes_the_entry_instead_of_adding_one():
    event = Event("Council", utc("2026-12-08 18:00"), utc("2026-12-08 20:00"), "Town Hall")
    moved = Event("Council", event.start, utc("2026-12-08 21:00"), "Library")

    def identity(which: Event, source: str) -> str:
        return unfolded(calendar(which, source=source, name="", address="w@city.example"))[5]

    assert identity(event, "council") == identity(moved, "council") != identity(event, "market")


def test_a_date_that_cannot_be_read_is_a_finding_with_its_line(city):
    file = city.write(GOOD.replace("from:", "event: Open day; soon\nfrom:"))
    (finding,) = city.json("campaigns", "check", file, code=6)["findings"]
    assert finding["place"] == f"{file}, line 6"
    assert "does not say until when" in finding["problem"]
    assert finding["fix"] == "event: Council meeting; 2026-12-08 18:00 to 20:00; Town Hall"


@pytest.mark.parametrize(
    ("hours", "found"),
    [
        (-2, [("block", "over before the mail leaves")]),
        (-1, [("warn", "has begun")]),
        (1, [("warn", "within two hours")]),
        (3, []),
    ],
)
def test_nobody_is_invited_to_what_is_over(hours, found):
    noon = utc("2026-12-01 12:00")
    start = noon + dt.timedelta(hours=hours)
    findings = check(Event("Fair", start, start + dt.timedelta(hours=2)), "x.md, line 5", leaves=noon)
    assert [(each.severity, said in each.problem) for each, (_, said) in zip(findings, found, strict=True)] == [
        (severity, True) for severity, _ in found
    ]
    assert list(check(None, "x.md", leaves=noon)) == []


def test_the_gate_says_that_an_event_is_over(city):
    file = city.write(GOOD.replace("from:", "event: Open day; 2020-01-01 10:00 to 12:00\nfrom:"))
    (finding,) = city.json("campaigns", "check", file, code=6)["findings"]
    assert (finding["check"], finding["place"]) == ("event", f"{file}, line 6")


def test_another_file_is_refused_with_what_to_do_instead(city):
    file = city.write(GOOD.replace("from:", "attachments: plan.pdf\nfrom:"))
    (finding,) = city.json("campaigns", "check", file, code=6)["findings"]
    assert finding["place"] == f"{file}, line 6"
    assert "a file is never sent along" in finding["problem"]
    assert "link to it" in finding["problem"] + finding["fix"]
