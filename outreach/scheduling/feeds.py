"""RSS and Atom feeds as items of digests.

A feed is a file in `feeds/`: two lines, `url:` and `topic:`. Its entries become items of that topic, each once, by the
entry's own key; whoever wants the topic at once gets a digest of what is new. What a feed already holds when it is
first read is history, and is sent to nobody.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from xml.parsers import expat

from sqlalchemy import Connection, select

from outreach.campaigns.items import plain
from outreach.errors import OutreachError, UsageError
from outreach.scheduling.fetching import FetchRefused, Resolve, fetch
from outreach.settings import Settings
from outreach.store import digests, topics
from outreach.store.checkpoints import insert, lock
from outreach.store.database import Store
from outreach.store.tables import feed

EVERY = dt.timedelta(minutes=15)
MAX_ENTRIES = 50
"""Of one reading; the newest ones."""
MAX_DEPTH = 40
MAX_TITLE, MAX_SUMMARY = 200, 600


@dataclass(frozen=True, slots=True)
class Feed:
    """One file of `feeds/`."""

    path: Path
    url: str
    topic: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a feed, as text."""

    key: str
    title: str
    link: str
    summary: str


def load(folder: Path) -> list[Feed]:
    """The feeds of a workspace. UsageError names the file that is not two lines of `name: value`."""
    found = []
    for path in sorted(folder.glob("*.feed")):
        lines = (line.partition(":") for line in path.read_text("utf-8").splitlines() if line.strip())
        values = {name.strip().lower(): rest.strip() for name, _, rest in lines if not name.lstrip().startswith("#")}
        if set(values) != {"url", "topic"}:
            raise UsageError(f"{path} must have the lines `url:` and `topic:` and no others")
        found.append(Feed(path, values["url"], values["topic"]))
    return found


def collect(store: Store, settings: Settings, *, now: dt.datetime, resolve: Resolve | None = None) -> list[str]:
    """Read every feed that is due; returns one sentence for each trouble that is new."""
    hosts = settings.text("feeds.hosts").replace(",", " ").split()
    troubles = []
    for each in load(settings.root / "feeds"):
        with store.read() as connection:
            known = connection.execute(select(feed).where(feed.c.url == each.url)).one_or_none()
        if known is not None and now - known.fetched_at < EVERY:
            continue
        # Without an etag, even an empty one, it was never read.
        first = known is None or known.etag is None
        state: dict[str, Any] = {"etag": None, "modified": None} if known is None else {}
        try:
            etag, modified = (known.etag or "", known.modified or "") if known else ("", "")
            got = fetch(each.url, hosts=hosts, etag=etag, modified=modified, resolve=resolve)
            entries = list(parse(got.body))[:MAX_ENTRIES] if got.body is not None else []
            state = {"etag": got.etag, "modified": got.modified, "trouble": None}
        except FetchRefused as error:
            entries = []
            state["trouble"] = str(error)
            if known is None or known.trouble != str(error):
                troubles.append(f"{each.path.name}: {error}")
        with store.write() as connection:
            _keep(connection, each, entries, silent=first, now=now)
            values = {"url": each.url, "fetched_at": now, **state}
            statement = insert(connection, feed).values(values)
            connection.execute(statement.on_conflict_do_update(index_elements=["url"], set_=values))
    return troubles


def parse(document: bytes) -> Iterator[Entry]:
    """The entries of an RSS 2.0, RSS 1.0 or Atom document. FetchRefused for what is none, or declares entities."""
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _no_doctype
    parser.buffer_text = True
    try:
        parser.Parse(document, True)
    except expat.ExpatError as error:
        raise FetchRefused(f"this is no feed: {error}") from None
    for found in reader.entries:
        title, link = found.get("title", "").strip(), found.get("link", "").strip()
        web = urlsplit(link).scheme in ("http", "https") and not set(link) & set("()<>[]{} \\\"'")
        key = (found.get("guid") or found.get("id") or link or title).strip()
        if title and key:
            yield Entry(key, title[:MAX_TITLE], link if web else "", found.get("description", "").strip()[:MAX_SUMMARY])


class _Reader:
    """Collects the plain text of each entry's children."""

    def __init__(self) -> None:
        self.entries: list[dict[str, str]] = []
        self._path: list[str] = []
        self._here: dict[str, str] | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(" ")[2].lower()
        self._path.append(name)
        if len(self._path) > MAX_DEPTH:
            raise FetchRefused("this feed is nested too deeply")
        if name in ("item", "entry"):
            self._here = {}
            self.entries.append(self._here)
        elif self._here is not None and name == "link" and attributes.get("rel", "alternate") == "alternate":
            self._here.setdefault("link", attributes.get("href", ""))

    def end(self, name: str) -> None:
        if self._path.pop() in ("item", "entry"):
            self._here = None

    def text(self, data: str) -> None:
        if self._here is not None and len(self._path) > 1 and self._path[-2] in ("item", "entry"):
            name = "description" if self._path[-1] in ("summary", "description") else self._path[-1]
            self._here[name] = self._here.get(name, "") + data


def _no_doctype(*_: object) -> None:
    raise FetchRefused("this feed declares a document type; a feed needs none, and entities can be made to explode")


def _keep(connection: Connection, each: Feed, entries: list[Entry], *, silent: bool, now: dt.datetime) -> None:
    """New entries become items; `silent`: they are known from now on, and go to nobody."""
    if not entries:
        return
    lock(connection, "digest:lock")
    topic = topics.find(connection, each.topic)
    if topic is None:
        raise OutreachError(f"{each.path.name}: no topic is called {each.topic!r}")
    for entry in reversed(entries):  # feeds begin with the newest
        source = hashlib.sha256(f"{each.url}\n{entry.key}".encode()).hexdigest()
        body = plain(_without_tags(entry.summary))
        if entry.link:
            body += f"\n\n[{plain(entry.title)}]({entry.link})"
        content = {"": {"title": plain(entry.title), "body": body or plain(entry.title)}}
        identity = digests.add_item(connection, topic_id=topic.id, content=content, source=source, published_at=now)
        if identity is not None and not silent:
            digests.wait(connection, identity, digests.subscribers_of(topic.id), topic_id=topic.id)


def _without_tags(text: str) -> str:
    """A summary is often HTML inside text; only its words are taken."""
    from selectolax.lexbor import LexborHTMLParser

    return LexborHTMLParser(text).text(separator=" ") if "<" in text or "&" in text else text
