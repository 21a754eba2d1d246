"""Each check lets the well-written campaign pass, and names what is wrong with a spoilt one, with its place."""

from __future__ import annotations

import datetime as dt
import socket
import threading

import pytest

from outreach.preflight import (
    accessibility,
    audience,
    consent,
    fields,
    footer,
    gate,
    language,
    links,
    schedule,
    sender,
    size,
    spam,
    subject,
    unfinished,
    variants,
)
from outreach.preflight.contrast import colour, contrast
from outreach.preflight.draft import Failure, Schedule
from outreach.preflight.findings import Severity
from outreach.rendering.layouts import read_layout
from outreach.rendering.message import Mailbox

NOW = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)


def told(findings) -> list[tuple[str, str]]:
    """(severity, place) of each finding."""
    return [(str(each.severity), each.place) for each in findings]


def only(findings):
    (finding,) = findings
    return finding


@pytest.mark.parametrize("check", gate.EACH_LANGUAGE.values(), ids=list(gate.EACH_LANGUAGE))
def test_a_well_written_campaign_passes(check, draft, city):
    assert list(check(draft(), city())) == []


def test_the_whole_gate_lets_it_pass(draft, city, reach):
    notes = gate.inspect([draft()], city(), reach=reach())
    assert told(notes) == [("note", "campaigns/sweeping.md")]  # ten people read Spanish


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"subject": "Re: sweeping"}, "block: the subject pretends to be a reply"),
        ({"subject": "FW: sweeping"}, "block: the subject pretends to be a reply"),
        ({"subject": "SWEEPING STARTS ON MONDAY"}, "warn: the subject is in capital letters"),
        ({"subject": "Sweeping: act now!!"}, "warn: the subject sounds like advertising"),
        ({"subject": "Sweeping 🧹 on Monday 🚗"}, "warn: the subject has several emoji"),
        ({"subject": "Sweeping " + "in your street " * 4}, "warn: the subject has 68 characters"),
        ({"subject": "Sweeping " + "in your street " * 12}, "block: the subject has"),
        ({"preheader": ""}, "note: there is no preheader"),
        ({"preheader": "street sweeping starts on monday"}, "warn: the preheader repeats the subject"),
        ({"preheader": "Move your car. " * 12}, "warn: the preheader is too long"),
    ],
)
def test_subjects_and_preheaders(changes, said, draft, city):
    finding = only(subject.check(draft(**changes), city()))
    assert f"{finding.severity}: {finding.problem}".startswith(said)


@pytest.mark.parametrize(
    ("name", "address", "said"),
    [
        ("", "works@city.example", "warn: works@city.example has no name"),
        ("Public Works ✔", "works@city.example", "block: the name"),
        ("City (2)", "works@city.example", "block: the name"),
        ("works@bank.example", "works@city.example", "block: the name"),
        ("Street sweeping starts", "works@city.example", "warn: the name"),
        ("Public Works", "no-reply@city.example", "warn: nobody reads answers"),
        ("Public Works", "city.works@gmail.com", "block: mail from gmail.com"),
        ("Public Works", "works@town.example", "block: the sender's domain town.example is not city.example"),
    ],
)
def test_senders(name, address, said, draft, city):
    finding = only(sender.check(draft(sender=Mailbox(name, address)), city()))
    assert f"{finding.severity}: {finding.problem}".startswith(said)
    assert finding.place == "campaigns/sweeping.md, line 6"


def test_a_subdomain_is_aligned_and_no_reply_may_have_a_reply_to(draft, city):
    aligned = draft(sender=Mailbox("Works", "works@mail.city.example"))
    assert list(sender.check(aligned, city())) == []
    answered = draft(sender=Mailbox("Works", "no-reply@city.example"), reply_to=Mailbox("", "works@city.example"))
    assert list(sender.check(answered, city())) == []


@pytest.mark.parametrize(
    ("body", "severity", "said"),
    [
        ("\n[Pay](http://city.example/pay)", "warn", "is not encrypted"),
        ("\n[Pay](https://10.1.2.3/pay)", "block", "leads to a machine"),
        ("\n[Pay](https://city.internal/pay)", "block", "leads to a machine"),
        ("\n[Pay](https://bit.ly/x)", "warn", "hides where it leads"),
        ("\n[Pay](https://city.example/TODO)", "block", "looks unfinished"),
        ("\n[Pay](https://сity.example/pay)", "block", "only looks like city.example"),
        ("\n[Pay](https://xn--ity-3ed.example/pay)", "block", "only looks like city.example"),
        ("[Pay](https://city.example/a) or\n[pay](https://city.example/b)", "warn", "lead to different pages"),
    ],
)
def test_links(body, severity, said, draft, city):
    finding = only(links.check(draft(body=body), city()))
    assert (finding.severity, finding.place) == (severity, "campaigns/sweeping.md, line 9")
    assert said in finding.problem


def test_links_only_to_hosts_the_city_allows(draft, city):
    allowed = city(link_hosts=("city.example",))
    assert list(links.check(draft(body="[Maps](https://maps.city.example/)"), allowed)) == []
    finding = only(links.check(draft(body="[Maps](https://maps.example/)"), allowed))
    assert (finding.severity, finding.place) == ("block", "campaigns/sweeping.md, line 8")
    assert only(links.check(draft(body="[a](https://evilcity.example/)"), allowed)).blocks


def test_many_links(draft, city):
    body = "\n".join(f"[Page {n}](https://city.example/{n})" for n in range(21))
    assert "21 links" in only(links.check(draft(body=body), city())).problem


@pytest.mark.parametrize(
    ("body", "severity", "said"),
    [
        ("\n![](https://city.example/a.png)", "block", "an image has no alternative text"),
        ("\n![map.png](https://city.example/a.png)", "warn", "file name"),
        ("\n[click here](https://city.example/a)", "warn", "a link says only"),
        ("# One\n### Three", "warn", 'the heading "Three" jumps'),
        (
            "\n[https://city.example/a/very/long/address/that/nobody/reads](https://city.example/a)",
            "warn",
            "a long web",
        ),
    ],
)
def test_accessibility_of_what_was_written(body, severity, said, draft, city):
    finding = only(accessibility.check(draft(body=body), city()))
    assert (finding.severity, finding.place) == (severity, "campaigns/sweeping.md, line 9")
    assert said in finding.problem


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("#1c2733", "#9aa5b1", "has a contrast of"),
        ('lang="{{ language }}" ', "", "does not say its language"),
        ("<mj-title>{{ subject }}</mj-title>", "", "has no title"),
        ('alt="" style="display: block', 'style="display: block', "an image has no alt"),
        ('font-size="16px" line-height="1.6"', 'font-size="11px" line-height="1.6"', "is set in 11 pixels"),
        ("{{ leave }}</a>", "</a>", "a link has no words"),
    ],
)
def test_accessibility_of_a_layout(before, after, said, draft, city):
    layout = read_layout()
    assert before in layout
    findings = list(accessibility.check(draft(layout=layout.replace(before, after)), city()))
    assert any(said in finding.problem for finding in findings), findings


def test_contrast_is_what_wcag_says():
    assert contrast((255, 255, 255), (0, 0, 0)) == pytest.approx(21)
    assert contrast((0x76, 0x76, 0x76), (255, 255, 255)) == pytest.approx(4.54, abs=0.01)
    assert [colour("#fff"), colour("rgb(1, 2, 3)"), colour("transparent")] == [(255, 255, 255), (1, 2, 3), None]


LONG = " ".join(["word"] * 13) + " and\n" + " ".join(["word"] * 13) + "."


@pytest.mark.parametrize(
    ("body", "place", "said"),
    [
        (f"Short.\n\n{LONG}", 10, "a sentence has 27 words"),
        (f"Short one.\n{LONG}", 9, "a sentence has 27 words"),
        ("\n" + "So it is. " * 6, 9, "a paragraph has 6 sentences"),
        ("\nPlease utilize the bin.", 9, '"utilize" is office language'),
        ("\nPAY YOUR FEES now.", 9, '"PAY YOUR FEES" is in capital letters'),
    ],
)
def test_plain_language(body, place, said, draft, city):
    finding = only(language.check(draft(body=body), city()))
    assert (finding.place, finding.severity) == (f"campaigns/sweeping.md, line {place}", "warn")
    assert finding.problem.startswith(said)


def test_office_words_are_of_the_messages_language_and_the_citys_own(draft, city):
    assert (
        "de conformidad con"
        in only(language.check(draft(language="es", body="Pague de conformidad con la ley."), city())).problem
    )
    own = city(jargon={"rfq": "request for prices"})
    assert only(language.check(draft(body="Send the RFQ."), own)).fix == 'write "request for prices"'


def test_the_grade_of_a_hard_text_and_of_an_easy_one(draft, city):
    hard = "Municipal infrastructure rehabilitation necessitates comprehensive interdepartmental coordination. " * 9
    easy = "We will fix the road. It will take a week. Please park in the next street. " * 5
    paragraphs = [draft(body="\n\n".join(text.strip().split(". "))) for text in (hard, easy)]
    assert [
        len([f for f in language.check(each, city()) if "years of school" in f.problem]) for each in paragraphs
    ] == [
        1,
        0,
    ]


@pytest.mark.parametrize(
    ("word", "count"), [("street", 1), ("sweeping", 2), ("neighbour", 2), ("collected", 3), ("table", 2), ("make", 1)]
)
def test_syllables(word, count):
    assert language.syllables(word, "en") == count


LEAVE = '<p><a href="{{ unsubscribe_url }}">{{ leave }}</a></p>'


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("{{ unsubscribe_url }}", "https://city.example/leave", "no way to unsubscribe"),
        (LEAVE, f"{{% if district %}}{LEAVE}{{% endif %}}", "for some people only"),
        ('<p><a href="{{ unsubscribe_url }}">', '<p style="display: none"><a href="{{ unsubscribe_url }}">', "hidden"),
        ("{{ postal_address }}", "", "postal address is not printed"),
    ],
)
def test_footers(before, after, said, draft, city):
    finding = only(footer.check(draft(layout=read_layout().replace(before, after)), city()))
    assert finding.blocks
    assert said in finding.problem


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("Hello.\n\nTODO: say when.", 'it still says "TODO"'),
        ("Hello.\n\nCome to [insert place] on Monday.", 'it still says "[insert place]"'),
        ("Hello.\n\nYou do not need to do anything. We write again when it is done.", "the template came with"),
    ],
)
def test_what_was_never_written(body, said, draft, city):
    finding = only(unfinished.check(draft(body=body), city()))
    assert (finding.severity, finding.place) == ("block", "campaigns/sweeping.md, line 10")
    assert said in finding.problem


def test_a_city_without_an_address_cannot_send(draft, city):
    finding = only(footer.check(draft(postal_address=""), city(postal_address="")))
    assert (finding.severity, finding.place) == ("block", "outreach.toml, organisation.address")


def test_rows_that_cannot_be_rendered(draft, reach):
    drafts = [draft(body="Hello.\n\nYour district is {{ district }}.")]
    missing = Failure(language="en", problem="", people=20, example=7, field="district")
    odd = Failure(language="en", problem="a value has 9,000 characters", people=1, example=9)
    assert told(fields.check(reach(failures=(missing, odd)), drafts)) == [
        ("block", "campaigns/sweeping.md, line 10"),
        ("warn", "campaigns/sweeping.md, line 4"),
    ]
    assert list(fields.check(reach(), drafts)) == []


def test_size_counts_for_whoever_gets_the_most(draft, reach):
    assert list(size.check(reach(heaviest={"en": 60_000}), [draft()])) == []
    assert told(size.check(reach(heaviest={"en": 95_000}), [draft()])) == [("warn", "campaigns/sweeping.md")]
    assert only(size.check(reach(heaviest={"en": 105_000}), [draft()])).blocks


def test_audiences_against_last_time(reach):
    assert list(audience.check(reach())) == []
    assert "3 times the largest" in only(audience.check(reach(people=2_850))).problem
    assert only(audience.check(reach(people=300))).severity is Severity.NOTE
    nobody = only(audience.check(reach(people=0, excluded={"suppressed": 4})))
    assert nobody.blocks
    assert "4 left out: suppressed" in nobody.problem


def test_consent(reach):
    assert list(consent.check(reach())) == []
    assert "no record of how they asked" in only(consent.check(reach(without_evidence=3))).problem
    assert "statutory" in only(consent.check(reach(message_class="statutory", without_evidence=3))).problem


def test_languages(draft, reach):
    main = draft()
    assert told(variants.spoken(reach(locales={"en": 900, "es-MX": 60, "es": 40}), [main])) == [
        ("warn", "campaigns/sweeping.md")
    ]
    spanish = draft(language="es", body="Hola.")
    assert "links to 0 pages in es, and to 1 in en" in next(f.problem for f in variants.written([main, spanish]))


@pytest.mark.parametrize(
    ("at", "kind", "said"),
    [
        (None, "regular", "is no time"),
        (dt.datetime(2026, 11, 20, 9, tzinfo=dt.UTC), "regular", "is over"),
        (dt.datetime(2026, 12, 1, 23, tzinfo=dt.UTC), "regular", "lies in the quiet hours, 21:00 to 08:00"),
        (dt.datetime(2026, 12, 1, 23, tzinfo=dt.UTC), "emergency", None),
        (dt.datetime(2026, 12, 1, 9, tzinfo=dt.UTC), "regular", None),
    ],
)
def test_schedules(at, kind, said, city, reach):
    planned = Schedule(place="x.md, line 5", written="then", at=at, now=NOW)
    quiet = city(quiet_hours=(dt.time(21), dt.time(8)))
    found = list(schedule.check(planned, quiet, reach(message_class=kind)))
    assert [said in finding.problem for finding in found] == ([True] if said else [])


@pytest.mark.parametrize(("points", "severity"), [("0.1", None), ("3.2", "warn"), ("11.2", "block")])
def test_a_local_spam_filter_is_asked(points, severity, draft):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            with connection:
                assert b"".join(iter(lambda: connection.recv(4096), b"")).endswith(b"mail")
                connection.sendall(
                    f"SPAMD/1.1 0 EX_OK\r\nSpam: True ; {points} / 5.0\r\n\r\nHTML_ONLY,BIG_FONT\r\n".encode()
                )

        thread = threading.Thread(target=answer)
        thread.start()
        found = list(spam.check(draft(), b"mail", f"127.0.0.1:{server.getsockname()[1]}"))
        thread.join()
    assert [finding.severity for finding in found] == ([severity] if severity else [])
    assert all("HTML_ONLY, BIG_FONT" in finding.problem for finding in found)


def test_without_a_spam_filter_there_is_nothing_to_say(draft):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert list(spam.check(draft(), b"mail", f"127.0.0.1:{port}")) == []


def test_a_check_that_breaks_down_does_not_hide_the_others(draft, city, monkeypatch):
    def broken(draft, city):
        raise ZeroDivisionError

    monkeypatch.setitem(gate.EACH_LANGUAGE, "subject", broken)
    found = gate.inspect([draft(sender=Mailbox("City (2)", "works@city.example"))], city(), reach=None)
    assert [(finding.check, finding.severity) for finding in found] == [("sender", "block"), ("subject", "warn")]
