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
from xml.parsers import expat

from sqlalchemy import Connection, select

from outreach.campaigns.items import plain
from outreach.errors import UsageError
from outreach.scheduling.fetching import FetchRefused, Resolve, fetch
from outreach.settings import Settings
from outreach.store import digests, topics
from outreach.store.checkpoints import insert, lock
from outreach.store.database import Store
from outreach.store.tables import feed
from outreach.store.topics import Topic
from tracking.links import BadDestination, destination

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
        try:
            text = path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} cannot be read as UTF-8 text: {error}") from None
        lines = (line.partition(":") for line in text.splitlines() if line.strip())
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
            topic = topics.find(connection, each.topic)
        if known is not None and now - known.fetched_at < EVERY:
            continue
        # Without an etag, even an empty one, it was never read.
        first = known is None or known.etag is None
        state: dict[str, Any] = {"etag": None, "modified": None} if known is None else {}
        entries: list[Entry] = []
        try:
            _expect(topic, each)
            etag, modified = (known.etag or "", known.modified or "") if known else ("", "")
            got = fetch(each.url, hosts=hosts, etag=etag, modified=modified, resolve=resolve)
            entries = list(parse(got.body))[:MAX_ENTRIES] if got.body is not None else []
            state = {"etag": got.etag, "modified": got.modified, "trouble": None}
        except FetchRefused as error:
            state["trouble"] = str(error)
            if known is None or known.trouble != str(error):
                troubles.append(f"{each.path.name}: {error}")
        with store.write() as connection:
            _keep(connection, each, topic, entries, silent=first, now=now)
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
    except (expat.ExpatError, LookupError, ValueError) as error:  # the last two: an encoding that expat cannot read
        raise FetchRefused(f"this is no feed: {error}") from None
    for found in reader.entries:
        title, link = found.get("title", "").strip(), found.get("link", "").strip()
        key = (found.get("guid") or found.get("id") or link or title).strip()
        if title and key:
            yield Entry(
                key,
                title[:MAX_TITLE],
                link if _leads_somewhere(link) else "",
                found.get("description", "").strip()[:MAX_SUMMARY],
            )


def _leads_somewhere(link: str) -> bool:
    """True for a web link that Markdown takes as it stands, and that the tracking service would lead people to."""
    try:
        destination(link)
    except BadDestination:
        return False
    return link.lower().startswith(("http://", "https://")) and not set(link) & set("()<>[]{}\"'")


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


def _expect(topic: Topic | None, each: Feed) -> None:
    if topic is None:
        raise FetchRefused(f"no topic is called {each.topic!r}; correct the line `topic:`")


def _keep(
    connection: Connection,
    each: Feed,
    topic: Topic | None,
    entries: list[Entry],
    *,
    silent: bool,
    now: dt.datetime,
) -> None:
    """New entries become items; `silent`: they are known from now on, and go to nobody."""
    if topic is None or not entries:
        return
    lock(connection, "digest:lock")
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
