"""`outreach campaigns new`: six questions, and a campaign file to go on from."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from outreach.addresses import slug
from outreach.cli.workspace import Workspace, open_workspace
from outreach.errors import OutreachError, UsageError
from outreach.rendering.layouts import content_folder, layout_names
from outreach.rendering.message import Mailbox
from outreach.segmentation.catalogue import load_catalogue
from outreach.segmentation.sql import compile_rule
from outreach.store import topics

KINDS: Final = {
    "newsletter": "several stories, each with a heading",
    "notice": "one thing people should know or do",
    "alert": "what cannot wait",
    "case-status": "how one person's matter stands",
    "survey": "one question, answered by a click",
    "digest": "many short items",
}
HOW: Final = """\
{# Nobody gets these lines. How to write:

   **[See your street](https://city.example/x)**   alone between empty lines: a button
   [words](https://city.example/x)                 a link; **bold**; ## a heading; - a list item
   ![what it shows](images/map.png)                alone between empty lines: an image from the folder images/,
                                                   or by its whole address

   > [!WARNING]                                    a box; also NOTE, TIP, IMPORTANT
   > The bridge is closed.

   | Day | Street |                                a table
   |---|---|
   | Monday | Main Street |

   {{ first_name | default("neighbour") }}        a field, and what stands there if it is not known
   {% if renter %}  and  {% endif %}             on lines of their own: only for some people

   Between the lines of dashes, each on a line of its own:

   to: topic is "Parking" and district in (3, 4)   whom; try it with: outreach segments count 'RULE'
   reply_to: Works <works@city.example>            where answers go
   schedule: 2026-12-01 09:00                      when it leaves, once it is approved
   event: Open day; 2026-12-05 10:00 to 16:00; Town Hall   an entry for people's calendars

   Another language: the same file name with .es before .md, with `subject:` and the text.
#}
"""
"""At the head of every new file."""
NO_TOPIC: Final = (
    "there is no topic yet, and every campaign is about one. Bring people in with `outreach subscribers import FILE "
    "--topic 'City news' --source 'where they asked'`, or write topics/city-news.toml and run `outreach subscribers "
    "topics`"
)
NEEDED: Final = "--template, --topic and --subject"
"""The questions that have no answer to propose."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,59}").fullmatch


@click.command()
@click.option("--template", help="newsletter, notice, alert, case-status, survey, digest, or one of your own.")
@click.option("--topic", help="What people asked to hear about.")
@click.option("--to", "rule", help='Whom: a rule, as in  topic is "Parking" and district in (3, 4)')
@click.option("--from", "sender", help='As in "Public Works <works@city.example>".')
@click.option("--subject", help="What people read first.")
@click.option("--name", help="The file's name, without .md.")
def new(
    template: str | None,
    topic: str | None,
    rule: str | None,
    sender: str | None,
    subject: str | None,
    name: str | None,
) -> None:
    """Ask six questions, write campaigns/NAME.md, and say what to do next. Nothing is sent.

    Each question can be answered by an option, or by a line of standard input. Afterwards open the file and write
    the text; the file begins with how that is done:

    \b
    **[See your street](https://city.example/x)**   alone between empty lines: a button
    [words](https://city.example/x)                 a link; **bold**; ## a heading; - a list item
    ![what it shows](images/map.png)                alone: an image from the folder images/
    > [!WARNING]                                    the first line of a quote: a box (NOTE, TIP …)
    {{ first_name | default("neighbour") }}         a field, and what stands there if it is unknown
    {% if renter %} … {% endif %}                   on lines of their own: only for some people

    \b
    campaigns/parking.es.md beside campaigns/parking.md is the same campaign in Spanish:
    its own subject: and text, the rest is taken over.

    \b
    outreach campaigns new
    outreach campaigns new --template notice --topic Parking --subject "Main Street is closed"
    """
    workspace = open_workspace()
    given = _Given(template, topic, rule, sender, subject, name)
    path = _write(workspace, _asked(workspace, given))
    shown = f"campaigns/{path.name}"
    click.echo(
        f"\n{shown} is written. Open it in an editor and replace the text; then:\n\n"
        f"  outreach templates preview {shown} --serve   see it change while you write\n"
        f"  outreach campaigns check {shown}             what is still wrong with it\n"
        f"  outreach campaigns test {shown} --to YOU     get it yourself (how: outreach campaigns test --help)\n"
        f"  outreach campaigns plan {shown}              see who would get it"
    )


@dataclass(frozen=True, slots=True)
class _Given:
    """What was answered by options; None is still to be asked."""

    template: str | None
    topic: str | None
    rule: str | None
    sender: str | None
    subject: str | None
    name: str | None


@dataclass(frozen=True, slots=True)
class _Answers:
    """All six answers, each a good one."""

    template: str
    topic: str
    rule: str
    sender: str
    subject: str
    name: str


def _asked(workspace: Workspace, given: _Given) -> _Answers:
    """Ask what was not given, in order; each answer makes the next question's proposal."""
    with workspace.store.read() as connection:
        known = [each.name for each in topics.everyone(connection)]
    if not known:
        raise UsageError(NO_TOPIC)
    kinds = layout_names(folders=[workspace.root / "templates"])
    template = _answer(
        given.template, "1/6 What is it", option="--template", check=lambda text: _one_of(text, kinds),
        offers=_kinds(kinds),
    )  # fmt: skip
    topic = _answer(
        given.topic, "2/6 About which topic", option="--topic", check=lambda text: _one_of(text, known),
        offers=[f"  {each}" for each in known],
    )  # fmt: skip
    rule = _answer(
        given.rule, "3/6 To whom (a rule)", option="--to", check=lambda text: _rule(workspace, text),
        default=f'topic is "{topic}"',
    )  # fmt: skip
    sender = _answer(
        given.sender, "4/6 From whom", option="--from", check=lambda text: str(Mailbox.parse(text)),
        default=_office(workspace),
    )  # fmt: skip
    subject = _answer(given.subject, "5/6 Subject", option="--subject", check=_subject)
    name = _answer(given.name, "6/6 File name", option="--name", check=_file_name, default=_short(subject))
    return _Answers(template, topic, rule, sender, subject, name)


def _office(workspace: Workspace) -> str:
    domain = workspace.settings.text("mail.domain") or "city.example"
    return f"{workspace.settings.text('organisation.name')} <news@{domain}>"


def _write(workspace: Workspace, answers: _Answers) -> Path:
    """The new file; UsageError if there is one of that name."""
    path = workspace.root / "campaigns" / f"{answers.name}.md"
    text = _starter(workspace, answers.template)
    front = (
        f"---\nsubject: {answers.subject}\npreheader: \nto: {answers.rule}\ntopic: {answers.topic}\n"
        f"from: {answers.sender}\ntemplate: {answers.template}\n---\n"
    )
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(f"{front}{HOW}\n{text}")
    except FileExistsError:
        raise UsageError(
            f"campaigns/{path.name} is there already; choose another --name. Nothing was changed"
        ) from None
    return path


def _answer(
    given: str | None,
    question: str,
    *,
    option: str,
    check: Callable[[str], str],
    default: str | None = None,
    offers: list[str] | None = None,
) -> str:
    """The answer given by option, or asked for until it is a good one."""
    if given is not None:
        return check(given)
    if not sys.stdin.isatty():
        line = sys.stdin.readline().strip() or default
        if line is None:
            raise UsageError(f"there is nobody to ask; add {option} (without a terminal {NEEDED} are needed)")
        return check(line)
    for line in offers or []:
        click.echo(line)
    while True:
        try:
            return check(click.prompt(question, default=default))
        except OutreachError as error:
            click.echo(f"  {error}")


def _kinds(names: list[str]) -> list[str]:
    return [f"  {name:12} {KINDS.get(name, 'of your own')}" for name in names]


def _one_of(given: str, known: list[str]) -> str:
    """The one that is meant, whatever its case; or the only one that begins like that."""
    folded = given.strip().casefold()
    exact = [each for each in known if each.casefold() == folded]
    near = exact or [each for each in known if folded and each.casefold().startswith(folded)]
    if len(near) != 1:
        raise UsageError(f"{given!r} is not one of {', '.join(known) or 'them: there is none yet'}")
    return near[0]


def _rule(workspace: Workspace, given: str) -> str:
    with workspace.store.read() as connection:
        catalogue = load_catalogue(connection, segments=workspace.segments())
    compile_rule(given, catalogue, now=workspace.now(), zone=workspace.settings.zone)
    return given.strip()


def _subject(given: str) -> str:
    if not given.strip():
        raise UsageError("a subject is what people read first; write one")
    return " ".join(given.split())


def _file_name(given: str) -> str:
    name = given.strip().removesuffix(".md").removeprefix("campaigns/")
    if not _NAME(name):
        raise UsageError(f'"{given}" cannot be a file name; use small letters, digits and hyphens')
    return name


def _short(subject: str) -> str:
    plain = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "", subject)
    return "-".join(slug(plain, otherwise="campaign").split("-")[:6])[:60]


def _starter(workspace: Workspace, template: str) -> str:
    for folder in (workspace.root / "templates", content_folder()):
        if (file := folder / template / "starter.md").is_file():
            return file.read_text("utf-8")
    return 'Hello {{ first_name | default("neighbour") }},\n\nwrite here what they should know.\n'
