"""Reading a message in a browser, and a topic's public archive with its feed.

    GET /v/<token>                      the message of this token's campaign: "view in browser". A public one is
                                        shown where anybody finds it, so that its address can be passed on
    GET /archive/<topic>                what was sent about a topic, newest first
    GET /archive/<topic>.rss            the same for feed readers (RSS 2.0)
    GET /archive/<topic>/<campaign>     one message: the address to send to a neighbour

Nothing is recorded, and a page knows nothing of who reads it.
"""

from __future__ import annotations

import datetime as dt
from email.utils import format_datetime
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from babel.dates import format_date

from tracking import answers
from tracking.answers import Answer
from tracking.copies import Copies, archived_at
from tracking.pages import ENVIRONMENT, STYLE
from tracking.pages.words import LANGUAGES

COPY_POLICY = (
    b"default-src 'none'; img-src https: http: data:; style-src 'unsafe-inline'; font-src https:; form-action 'none';"
    b" base-uri 'none'; frame-ancestors 'none'; sandbox allow-popups allow-popups-to-escape-sandbox"
    b" allow-top-navigation-by-user-activation"
)
"""What a campaign's author wrote may look as it likes, and run nothing."""
LONGEST_FEED = 50
_TEMPLATE = ENVIRONMENT.get_template("archive.html")


class _Entry(NamedTuple):
    """One message in the list."""

    address: str
    subject: str
    language: str
    day: str
    shown_day: str


def message(copies: Copies, accept_language: str) -> Answer:
    """One message, in the reader's language if it was sent in it."""
    _, copy = copies.choose(accept_language)
    return answers.page(200, copy.html, policy=COPY_POLICY)


def index(topic_id: int, found: list[tuple[int, Copies]], *, language: str) -> str:
    """A topic's archive as a page in the reader's language; each subject is in it too, if the message was."""
    first, words = found[0][1], LANGUAGES[language]
    entries = []
    for number, copies in found:
        spoken, copy = copies.choose(language)
        shown = format_date(_at(copies).date(), format="long", locale=language)
        entries.append(_Entry(archived_at(topic_id, number), copy.subject, spoken, _day(copies), shown))
    return _TEMPLATE.render(
        language=language,
        title=first.topic,
        organisation=first.organisation,
        style=STYLE,
        heading=first.topic,
        lines=(),
        note=words.archive_note.format(organisation=first.organisation),
        done=False,
        entries=entries,
        feed=f"/archive/{topic_id}.rss",
        words=words,
    )


def feed(topic_id: int, found: list[tuple[int, Copies]], *, base: str) -> Answer:
    """A topic's archive as RSS 2.0."""
    first = found[0][1]
    items = "".join(
        f"<item><title>{escape(_subject(copies))}</title>"
        f"<link>{escape(base + archived_at(topic_id, number))}</link>"
        f'<guid isPermaLink="true">{escape(base + archived_at(topic_id, number))}</guid>'
        f"<pubDate>{format_datetime(_at(copies))}</pubDate></item>\n"
        for number, copies in found[:LONGEST_FEED]
    )
    address = f"{base}/archive/{topic_id}"
    text = (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel>\n'
        f"<title>{escape(f'{first.topic} – {first.organisation}')}</title><link>{escape(address)}</link>\n"
        f"<description>{escape(first.topic)}</description>\n"
        f'<atom:link href={quoteattr(address + ".rss")} rel="self" type="application/rss+xml"/>\n'
        f"{items}</channel></rss>\n"
    )
    return answers.text(200, text, media_type=b"application/rss+xml; charset=utf-8")


def _subject(copies: Copies) -> str:
    return next(iter(copies.languages.values())).subject


def _at(copies: Copies) -> dt.datetime:
    return dt.datetime.fromtimestamp(copies.sent, dt.UTC)


def _day(copies: Copies) -> str:
    return _at(copies).date().isoformat()
