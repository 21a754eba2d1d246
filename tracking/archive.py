"""Reading a message in a browser, and a topic's public archive with its feed.

    GET /v/<token>                      the message of this token's campaign: "view in browser"
    GET /archive/<topic>                what was sent about a topic, newest first
    GET /archive/<topic>.rss            the same for feed readers (RSS 2.0)
    GET /archive/<topic>/<campaign>     one message: the address to send to a neighbour

Nothing is recorded, and a page knows nothing of who reads it.
"""

from __future__ import annotations

import datetime as dt
import html
from email.utils import format_datetime
from xml.sax.saxutils import escape, quoteattr

from tracking import answers
from tracking.answers import Answer
from tracking.copies import Copies
from tracking.pages import POLICY, STYLE

COPY_POLICY = (
    b"default-src 'none'; img-src https: http: data:; style-src 'unsafe-inline'; font-src https:; form-action 'none';"
    b" base-uri 'none'; frame-ancestors 'none'; sandbox allow-popups allow-popups-to-escape-sandbox"
    b" allow-top-navigation-by-user-activation"
)
"""What a campaign's author wrote may look as it likes, and run nothing."""
LONGEST_FEED = 50


def message(copies: Copies, accept_language: str) -> Answer:
    """One message, in the reader's language if it was sent in it."""
    _, copy = copies.choose(accept_language)
    return answers.page(200, copy.html, policy=COPY_POLICY)


def index(topic_id: int, found: list[tuple[int, Copies]], *, base: str) -> Answer:
    """A topic's archive as a page."""
    first = found[0][1]
    title = html.escape(f"{first.topic} – {first.organisation}")
    rows = "\n".join(
        f'<li><a href="{base}/archive/{topic_id}/{number}">{html.escape(_subject(copies))}</a>'
        f' <time datetime="{_day(copies)}">{_day(copies)}</time></li>'
        for number, copies in found
    )
    language = next(iter(first.languages))
    page = (
        f'<!doctype html>\n<html lang="{html.escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{STYLE}</style>\n"
        f'<link rel="alternate" type="application/rss+xml" href="{base}/archive/{topic_id}.rss" title="{title}">\n'
        f'</head>\n<body>\n<main>\n<p class="from">{html.escape(first.organisation)}</p>\n'
        f"<h1>{html.escape(first.topic)}</h1>\n<ul>\n{rows}\n</ul>\n"
        f'<p class="note"><a href="{base}/archive/{topic_id}.rss">RSS</a></p>\n</main>\n</body>\n</html>\n'
    )
    return answers.page(200, page, policy=POLICY)


def feed(topic_id: int, found: list[tuple[int, Copies]], *, base: str) -> Answer:
    """A topic's archive as RSS 2.0."""
    first = found[0][1]
    items = "".join(
        f"<item><title>{escape(_subject(copies))}</title>"
        f"<link>{escape(f'{base}/archive/{topic_id}/{number}')}</link>"
        f'<guid isPermaLink="true">{escape(f"{base}/archive/{topic_id}/{number}")}</guid>'
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
