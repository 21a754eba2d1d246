"""What we hold about somebody, as they may read it: reached only by a fresh link, mailed to the address itself.

    POST /p/<token>  held=1   asks for it, and shows nothing: that link may have been forwarded
    GET  /k/<token>           shows it, for a day; the link went to the address it is about

Our words are in the reader's language; names of values, campaigns and sources stand as we keep them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracking.pages import filling
from tracking.pages.filling import Page, Pairs, Section
from tracking.pages.words import LANGUAGES, Words


def page(story: Mapping[str, Any], *, language: str, organisation: str) -> Page:
    """`story` is a person's (outreach.subscribers.showing)."""
    words = LANGUAGES[language]
    sections = (
        Section(words.held_you, _you(story, words)),
        Section(words.topics_label, _topics(story, words)),
        Section(words.held_values, tuple((name, str(value)) for name, value in story["attributes"].items())),
        Section(words.held_history, _history(story, words)),
    )
    return Page(
        language=language,
        title=words.held_title,
        heading=words.held_title,
        organisation=organisation,
        note=words.held_note,
        sections=tuple(section for section in sections if section.rows),
        languages=filling.languages(),
    )


def _you(story: Mapping[str, Any], words: Words) -> Pairs:
    spoken = LANGUAGES.get((story["language"] or "").split("-")[0])
    suppression = story["suppression"]
    rows = (
        (words.email_label, story["address"]),
        (words.mail_language_label, spoken.language_name if spoken else story["language"]),
        (words.held_joined, _day(story["joined"])),
        (words.held_suppressed, f"{suppression['reason']}, {_day(suppression['at'])}" if suppression else None),
    )
    return tuple((name, value) for name, value in rows if value)


def _topics(story: Mapping[str, Any], words: Words) -> Pairs:
    standing = {
        "confirmed": words.held_confirmed,
        "unconfirmed": words.held_unconfirmed,
        "unsubscribed": words.held_unsubscribed,
    }
    often = {"at once": words.at_once, "daily": words.daily, "weekly": words.weekly}
    return tuple(
        (each["name"], f"{standing[each['status']]}, {often[each['frequency']]}, {_day(each['since'])}")
        for each in story["topics"]
    )


def _history(story: Mapping[str, Any], words: Words) -> Pairs:
    said = {
        "joined": words.held_joined,
        "came to us": words.held_came,
        "consent given": words.held_given,
        "consent withdrawn": words.held_withdrawn,
        "mail accepted": words.held_mail,
        "open": words.held_open,
        "click": words.held_click,
        "suppressed": words.held_suppressed,
        "preferences": words.choices_title,
        "unsubscribe": words.leave_title,
        "confirm": words.confirmed_title,
    }
    rows = []
    for line in story["history"]:
        kind = line["what"].rstrip("0123456789 ") if line["what"].startswith("click") else line["what"]
        what = said.get(kind, line["what"])
        rows.append((_minute(line["at"]), f"{what}: {line['detail']}" if line["detail"] else what))
    return tuple(rows)


def _day(moment: str | None) -> str:
    return (moment or "")[:10]


def _minute(moment: str | None) -> str:
    return f"{moment[:10]} {moment[11:16]} UTC" if moment else "–"
