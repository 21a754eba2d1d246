"""A campaign's message as anybody may read it in a browser: one file for each campaign, beside its links.

The copy was rendered for nobody, with every link leading where it really goes: there is no token, no
name and no address in it, so it may be looked at by whoever the mail was forwarded to, and shared.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from tracking.links import sync_folder

ENDING = ".copy.json"
RECHECK_SECONDS = 2.0
MOST_CACHED = 200


@dataclass(frozen=True, slots=True)
class Copy:
    """One language's copy."""

    subject: str
    html: str


@dataclass(frozen=True, slots=True)
class Copies:
    """One campaign's copies. `sent` is seconds since 1970; `public` ones are in their topic's archive."""

    organisation: str
    topic_id: int | None
    topic: str
    sent: int
    public: bool
    languages: Mapping[str, Copy]

    def choose(self, accept_language: str) -> tuple[str, Copy]:
        """The copy in the reader's best language among those there are, or else the first."""
        for item in accept_language.lower().split(",")[:20]:
            code = item.partition(";")[0].strip().partition("-")[0]
            for language, copy in self.languages.items():
                if language.partition("-")[0] == code:
                    return language, copy
        return next(iter(self.languages.items()))


def archived_at(topic_id: int | None, campaign_id: int) -> str:
    """Where a public copy is, whoever asks: the address to send to a neighbour."""
    return f"/archive/{topic_id}/{campaign_id}"


def publish(folder: Path, campaign_id: int, copies: Copies) -> None:
    """Write a campaign's copies so that a reader sees the old file or the new one, never a part."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{campaign_id}.{secrets.token_hex(4)}"
    with draft.open("x", encoding="utf-8") as file:
        json.dump(asdict(copies), file, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / f"{campaign_id}{ENDING}")
    sync_folder(folder)


class Library:
    """The copies of a folder, looked at again every other second. `clock` gives seconds, monotonic."""

    def __init__(self, folder: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._cache: dict[int, tuple[float, Copies | None]] = {}
        self._listed: tuple[float, dict[int, Copies]] = (float("-inf"), {})

    def get(self, campaign_id: int) -> Copies | None:
        """A campaign's copies; None if there are none, or they cannot be read."""
        now = self._clock()
        found = self._cache.get(campaign_id)
        if found is None or now - found[0] > RECHECK_SECONDS:
            found = (now, _read(self._folder / f"{campaign_id}{ENDING}"))
            self._cache[campaign_id] = found
            if len(self._cache) > MOST_CACHED:
                del self._cache[next(iter(self._cache))]
        return found[1]

    def archive(self, topic_id: int) -> list[tuple[int, Copies]]:
        """The public copies about a topic, newest first."""
        now = self._clock()
        if now - self._listed[0] > RECHECK_SECONDS:
            self._listed = (now, self._list())
        found = [(number, copies) for number, copies in self._listed[1].items() if copies.topic_id == topic_id]
        return sorted(found, key=lambda one: (-one[1].sent, -one[0]))

    def _list(self) -> dict[int, Copies]:
        found: dict[int, Copies] = {}
        for path in self._folder.glob(f"*{ENDING}"):
            number = path.name.removesuffix(ENDING)
            copies = _read(path)
            if number.isdigit() and copies is not None and copies.public:
                found[int(number)] = copies
        return found


def _read(path: Path) -> Copies | None:
    try:
        document = json.loads(path.read_text("utf-8"))
        languages = {name: Copy(str(one["subject"]), str(one["html"])) for name, one in document["languages"].items()}
        if not languages:
            return None
        topic_id = document["topic_id"]
        return Copies(
            organisation=str(document["organisation"]),
            topic_id=topic_id if isinstance(topic_id, int) else None,
            topic=str(document["topic"]),
            sent=int(document["sent"]),
            public=document["public"] is True,
            languages=languages,
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
