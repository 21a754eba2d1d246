"""Where a campaign's links lead: one small file for each campaign, published before its first mail.

A table rather than a URL in the link, so that a wrong address can be corrected after sending, and
so that no request can name a destination of its own (an open redirect). The files are all that
the service knows of a campaign, so redirects work while the database is down.

A destination may have holes for a person's values (`?zip={zip}`, outreach.rendering.personal), never in its host: who
follows such a link brings the values, signed; without them it leads to the same page with nothing filled in.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit

from outreach.errors import ConfigurationError
from outreach.rendering.personal import filled
from outreach.rendering.questions import Question

WEB = ("http", "https")
SCHEMES = (*WEB, "mailto", "tel")
MAX_LINKS = 1000
"""The link's number has at most three digits (tracking.app)."""
RECHECK_SECONDS = 1.0
MAX_CACHED = 2000

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
_SAFE = "!#$%&'()*+,/:;=?@[]~"
"""RFC 3986, 2.2: what a URL may hold besides letters and digits; `%` because the author encoded it already."""


class BadDestination(ConfigurationError):
    """A link that we refuse to send people to."""


@dataclass(frozen=True, slots=True)
class LinkTable:
    """What the service knows of one campaign: its links, in order, the words on its pages, and what it asks."""

    links: tuple[str, ...]
    topic_id: int | None = None
    topic: str = ""
    organisation: str = ""
    language: str = "en"
    questions: Mapping[str, Question] = field(default_factory=dict)
    """By language; empty for a message without a question."""
    plan: str = ""
    """The hash of the plan it was made for. A database that was put back may give a number to another campaign."""

    def question(self, language: str) -> tuple[str, Question] | None:
        """The question in the reader's language if it was asked in it, and in which language it is."""
        for wanted in (language, self.language, *self.questions):
            for spoken, question in self.questions.items():
                if spoken.partition("-")[0] == wanted.partition("-")[0]:
                    return spoken, question
        return None


def destination(url: str, values: Mapping[str, str] | None = None) -> bytes:
    """The URL, its holes filled with `values`, as a Location header carries it, in ASCII.

    Only http, https, mailto and tel; a web link needs a host and has no user before it, for
    `https://city.example@elsewhere.example` leads elsewhere. Raises BadDestination.
    """
    try:
        if "{" in urlsplit(url).netloc:
            raise BadDestination(f"the link {url!r} leaves its host open; values can stand only behind it")
        url = filled(url, values or {})
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("ascii" if parts.netloc.isascii() else "idna").decode("ascii")
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        raise BadDestination(f"the link {url!r} is not a web address we can read") from None
    if _FORBIDDEN.search(url):
        raise BadDestination(f"the link {url!r} has a space, a backslash or a control character; encode it as %..")
    if parts.scheme not in SCHEMES:
        raise BadDestination(f"the link {url!r} must begin with https://, http://, mailto: or tel:")
    if parts.scheme in WEB and (not host or "@" in parts.netloc):
        raise BadDestination(f"the link {url!r} must name a host, and no user before it")
    if parts.scheme not in WEB and parts.netloc:
        raise BadDestination(f"the link {url!r} must not have // after {parts.scheme}:")
    netloc = parts.netloc if parts.netloc.isascii() else host + port
    return quote(parts._replace(netloc=netloc).geturl(), safe=_SAFE).encode("ascii")


def publish(folder: Path, campaign_id: int, table: LinkTable) -> Path:
    """Write the campaign's link file so that a reader sees the old one or the new one, never a part.

    When this returns, file and name are on disk. Raises BadDestination before anything is written.
    """
    if len(table.links) > MAX_LINKS:
        raise BadDestination(f"campaign {campaign_id} has {len(table.links)} links; at most {MAX_LINKS} can be tracked")
    for url in table.links:
        destination(url)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{campaign_id}.json"
    draft = folder / f".{campaign_id}.{secrets.token_hex(4)}"
    with draft.open("x", encoding="utf-8") as file:
        json.dump(asdict(table), file, ensure_ascii=False, indent=1)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(target)
    sync_folder(folder)
    return target


def sync_folder(folder: Path) -> None:
    """Make names in the folder survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Destinations:
    """A link table as the service answers from it: every link checked and ready for a header."""

    table: LinkTable
    locations: tuple[bytes | None, ...]
    """None where the file holds a link that we refuse."""


@dataclass(slots=True)
class _Cached:
    stamp: tuple[int, int, int]
    looked: float
    destinations: Destinations


class LinkTables:
    """The link files of a folder, kept in memory and looked at again when they change.

    `clock` gives seconds, monotonic.
    """

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._cache: dict[int, _Cached] = {}

    def get(self, campaign_id: int) -> Destinations | None:
        """The campaign's links, or None while its file is not here or cannot be read."""
        cached = self._cache.get(campaign_id)
        now = self._clock()
        if cached is not None and now - cached.looked < RECHECK_SECONDS:
            return cached.destinations
        return self._look(campaign_id, cached, now)

    def _look(self, campaign_id: int, cached: _Cached | None, now: float) -> Destinations | None:
        path = self._folder / f"{campaign_id}.json"
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if cached is None or cached.stamp != stamp:
                cached = _Cached(stamp, now, _read(path))
                self._remember(campaign_id, cached)
        except (OSError, ValueError, KeyError, TypeError):
            # What was readable a moment ago is a better answer than none: a copy to a replica may be under way.
            return cached.destinations if cached else None
        cached.looked = now
        return cached.destinations

    def _remember(self, campaign_id: int, cached: _Cached) -> None:
        self._cache[campaign_id] = cached
        if len(self._cache) > MAX_CACHED:
            del self._cache[next(iter(self._cache))]


def _read(path: Path) -> Destinations:
    document = json.loads(path.read_text("utf-8"))
    links = document["links"]
    if not isinstance(links, list) or not all(isinstance(url, str) for url in links):
        raise ValueError("links must be a list of addresses")
    table = LinkTable(
        links=tuple(links),
        topic_id=document.get("topic_id"),
        topic=document.get("topic") or "",
        organisation=document.get("organisation") or "",
        language=document.get("language") or "en",
        questions={name: Question.from_document(one) for name, one in (document.get("questions") or {}).items()},
        plan=document.get("plan") or "",
    )
    return Destinations(table, tuple(map(_location, table.links)))


def _location(url: str) -> bytes | None:
    try:
        return destination(url)
    except BadDestination:
        return None
