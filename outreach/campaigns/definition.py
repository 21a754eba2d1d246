"""A campaign file: front matter, then the body in Markdown.

    ---
    subject: Street sweeping in district {{ district }}
    to: topic is "Parking & street sweeping" and district in (3, 4)
    topic: Parking & street sweeping
    from: Public Works <works@city.example>
    ---
    Hello {{ first_name | default("neighbour") }}, ...

Each line of the front matter is `name: the rest of the line`, taken as it stands. It is not YAML, which would
cut `Bin #3` short. Another language is a sibling file: `parking.es.md` beside `parking.md`; it needs only what differs.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from outreach.errors import OutreachError
from outreach.rendering.message import Mailbox

REQUIRED = ("subject", "to", "topic", "from")
OPTIONAL = ("template", "preheader", "reply_to", "event", "not_after", "in_doubt", "schedule", "drill")
ATTACHMENTS = ("attach", "attachment", "attachments", "file", "files")
NO_ATTACHMENTS = (
    "a file is never sent along: filters hold such mail back, and it cannot be corrected afterwards. Put the file on "
    "your site and link to it; an invitation to a date goes with `event:`"
)
VARIANT = re.compile(r"^(?P<stem>.+)\.(?P<language>[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*)$")
DEFAULT_TEMPLATE = "notice"


class CampaignError(OutreachError):
    """Something in a campaign file is wrong; the message names the file and the line."""

    def __init__(self, problem: str, *, place: object = "", line: int | None = None) -> None:
        self.problem, self.place, self.line = problem, str(place), line
        where = f"{place}, line {line}: " if line else f"{place}: " if place else ""
        super().__init__(where + problem)


Report: TypeAlias = Callable[[CampaignError], None]
"""Who is told of a fault that need not end the reading: `refuse`, or a gate that collects them all."""


def refuse(error: CampaignError) -> None:
    raise error


@dataclass(frozen=True, slots=True)
class Definition:
    """One campaign in one language, as written."""

    path: Path
    name: str
    """The stem of the file: parking."""
    language: str
    subject: str
    to: str
    to_line: int
    topic: str
    sender: Mailbox
    reply_to: Mailbox | None
    template: str
    preheader: str
    in_doubt: str
    not_after: str
    schedule: str
    event: str
    """A date that comes along as an invitation, as written; empty: none."""
    drill: bool
    """An exercise: it says so in its subject and above its text, in every language."""
    body: str
    body_line: int
    """The line of the file on which the body begins, for messages about it."""
    lines: Mapping[str, int]
    """Where each field of the front matter stands in this file."""


def load(path: Path, *, default_language: str, report: Report = refuse) -> dict[str, Definition]:
    """The campaign in every language it is written in, the default one first. CampaignError says what is wrong.

    A gate passes a `report` that collects: what can be read without a faulty line is then read without it.
    """
    if not path.is_file():
        raise CampaignError(f"there is no campaign file {path}{_nearest(path)}")
    if VARIANT.match(path.stem):
        raise CampaignError(f"{path} is a translation; name the main file, {path.name.split('.')[0]}.md")
    main = _definition(path, language=default_language, inherited={}, report=report)
    found = {default_language: main}
    for sibling in sorted(path.parent.glob(f"{path.stem}.*.md")):
        match = VARIANT.match(sibling.stem)
        if match and match["stem"] == path.stem:
            variant = _definition(sibling, language=match["language"], inherited=_inherited(main), report=report)
            if variant.drill != main.drill:
                report(_other_drill(variant, main))
            # Whom to reach, what it is about and whether it is real is decided once, in the main file.
            found[match["language"]] = replace(variant, to=main.to, topic=main.topic, drill=main.drill)
    return found


def _other_drill(variant: Definition, main: Definition) -> CampaignError:
    here, there = ("yes", "no") if variant.drill else ("no", "yes")
    return CampaignError(
        f"drill is {here} here and {there} in {main.path.name}: some would read of a drill and others of a real alarm. "
        "Decide it in the main file, and leave it out here",
        place=variant.path,
        line=variant.lines.get("drill"),
    )


def _definition(path: Path, *, language: str, inherited: Mapping[str, tuple[str, int]], report: Report) -> Definition:
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CampaignError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    own, body, body_line = _front_matter(path, text, report)
    fields = {**inherited, **own}
    missing = [name for name in REQUIRED if not fields.get(name, ("", 0))[0]]
    if missing:
        names = " and ".join(f"`{name}:`" for name in missing)
        report(CampaignError(f"it lacks {names} between its --- lines", place=path, line=1))
    value = {name: fields.get(name, ("", 0))[0] for name in (*REQUIRED, *OPTIONAL)}
    if value["in_doubt"] not in ("", "hold", "resend"):
        report(CampaignError("in_doubt can be hold or resend", place=path, line=fields["in_doubt"][1]))
    if value["drill"].lower() not in ("", "yes", "no"):
        report(CampaignError("drill can be yes or no", place=path, line=fields["drill"][1]))
    return Definition(
        path=path,
        name=path.stem,
        language=language,
        subject=value["subject"],
        to=value["to"],
        to_line=fields.get("to", ("", 1))[1],
        topic=value["topic"],
        sender=_mailbox(path, "from", fields, report) or Mailbox("", "nobody@invalid.example"),
        reply_to=_mailbox(path, "reply_to", fields, report),
        template=value["template"] or DEFAULT_TEMPLATE,
        preheader=value["preheader"],
        in_doubt=value["in_doubt"],
        not_after=value["not_after"],
        schedule=value["schedule"],
        event=value["event"],
        drill=value["drill"].lower() == "yes",
        body=body,
        body_line=body_line,
        lines={name: line for name, (_, line) in own.items()},
    )


def _front_matter(path: Path, text: str, report: Report) -> tuple[dict[str, tuple[str, int]], str, int]:
    """Each field with its line number, the body, and the line the body begins on."""
    lines = text.splitlines(keepends=True)
    if not lines or lines[0].strip() != "---":
        raise CampaignError(f"{path} must begin with a line of three dashes, then subject:, to:, topic: and from:")
    fields: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(lines[1:], 2):
        if line.strip() == "---":
            return fields, "".join(lines[number:]), number + 1
        name, colon, rest = line.partition(":")
        name = name.strip().lower().replace("-", "_")
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if name in ATTACHMENTS:
            report(CampaignError(f"`{name}:` {NO_ATTACHMENTS}", place=path, line=number))
        elif not colon or name not in (*REQUIRED, *OPTIONAL):
            near = difflib.get_close_matches(name, (*REQUIRED, *OPTIONAL), 1)
            meant = f"; did you mean `{near[0]}:`?" if near else f"; there are {', '.join((*REQUIRED, *OPTIONAL))}"
            report(CampaignError(f"{line.strip()!r} is no field of a campaign{meant}", place=path, line=number))
        elif name in fields:
            twice = f"`{name}:` stands there twice (first in line {fields[name][1]})"
            report(CampaignError(twice, place=path, line=number))
        else:
            fields[name] = rest.strip(), number
    raise CampaignError(f"{path}: the front matter is not closed; put a line of three dashes before the text")


def _mailbox(path: Path, name: str, fields: Mapping[str, tuple[str, int]], report: Report) -> Mailbox | None:
    text, line = fields.get(name, ("", 0))
    if not text:
        return None
    try:
        return Mailbox.parse(text)
    except OutreachError as error:
        report(CampaignError(f"`{name}:` {error}", place=path, line=line))
        return None


def _inherited(main: Definition) -> dict[str, tuple[str, int]]:
    """What a translation need not repeat."""
    reply_to = f"{main.reply_to.name} <{main.reply_to.address}>" if main.reply_to else ""
    return {
        "to": (main.to, main.to_line),
        "topic": (main.topic, 0),
        "from": (f"{main.sender.name} <{main.sender.address}>", 0),
        "reply_to": (reply_to, 0),
        "template": (main.template, 0),
        "in_doubt": (main.in_doubt, 0),
        "not_after": (main.not_after, 0),
        "drill": ("yes" if main.drill else "", 0),
        "event": (main.event, 0),
    }


def _nearest(path: Path) -> str:
    names = [each.name for each in path.parent.glob("*.md")] if path.parent.is_dir() else []
    near = difflib.get_close_matches(path.name, names, 1)
    if near:
        return f"; did you mean {path.parent / near[0]}?"
    return f"; there are {', '.join(sorted(names))}" if names else ""
