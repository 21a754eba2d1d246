"""What the checks look at: one campaign in one language, written and compiled; its city; its audience.

Everything is a plain value. The campaigns' side fills it in, so that a check needs no database and no clock.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from outreach.rendering.images import Image
from outreach.rendering.message import CompiledMessage, Mailbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One language of a campaign. `lines` is where each field of the front matter stands in the file."""

    place: str
    language: str
    subject: str
    preheader: str
    sender: Mailbox
    reply_to: Mailbox | None
    body: str
    body_line: int
    lines: Mapping[str, int]
    main_place: str = ""
    """The file that decides what this one does not say itself; empty if this is the one."""
    message: CompiledMessage | None = None
    """None when it could not be compiled; the reason is a finding already."""
    html: str = ""
    """What a typical person would get, links leading to where they really go."""
    text: str = ""
    body_file: str = ""
    """The file that holds `body`, where that is not `place`: the text of a whole message."""
    written_in: tuple[str, ...] | None = None
    """The languages of a whole message's template beside the main one; None for a frame."""
    images: Mapping[str, Image] = field(default_factory=dict)
    """The workspace's own images that this message shows, by how they are written."""

    @property
    def body_place(self) -> str:
        return self.body_file or self.place

    @property
    def template_place(self) -> str:
        """Where what is not in the body stands."""
        return self.body_file.removesuffix(".txt") + ".mjml" if self.body_file else f"the layout of {self.place}"

    def at(self, name: str) -> str:
        """Where a field of the front matter stands."""
        if name in self.lines:
            return f"{self.place}, line {self.lines[name]}"
        return self.main_place or self.place

    def body_at(self, line: int) -> str:
        """A line of the body, counted from 0, as a place in the file."""
        return f"{self.body_place}, line {self.body_line + line}"

    def find(self, words: str) -> str:
        """Where these words stand in the body; the layout, if they do not."""
        wanted = " ".join(re.sub(r"[*_`\\]", "", words).split())
        for number, line in enumerate(self.body.splitlines()):
            if wanted and wanted in " ".join(re.sub(r"[*_`\\]", "", line).split()):
                return self.body_at(number)
        return self.template_place


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """What the checks need to know of the workspace."""

    organisation: str
    postal_address: str
    domain: str
    tracking_url: str
    link_hosts: tuple[str, ...] = ()
    """Hosts that links may lead to; a host includes those below it. Empty: any."""
    jargon: Mapping[str, str] = field(default_factory=dict)
    """Words of this city's own to avoid, and what to write instead."""
    quiet_hours: tuple[dt.time, dt.time] | None = None
    spamd: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What goes wrong for some people when their message is made."""

    language: str
    problem: str
    people: int
    example: int
    """A subscriber's number: findings are read by many, so they hold no addresses."""
    field: str = ""
    """The field that is printed and missing, if that is it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Whom the campaign would reach, and how rendering went for every one of them."""

    place: str
    people: int
    excluded: Mapping[str, int]
    message_class: str
    topic: str
    locales: Mapping[str, int]
    without_evidence: int
    previous: tuple[int, ...]
    failures: tuple[Failure, ...] = ()
    heaviest: Mapping[str, int] = field(default_factory=dict)
    """Bytes of the largest HTML part, decoded, by language."""
    untracked: int = 0
    hint: str = ""
    """What is probably wrong with a rule that chose nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When it is to leave, as it stands in the file and as a moment; None when it cannot be read."""

    place: str
    written: str
    at: dt.datetime | None
    now: dt.datetime
