"""The gate over one campaign file: read it, compile it, render every row of its audience, and collect what is wrong.

Nothing is planned, written or sent. Unlike planning, which ends at the first fault, this goes on past each one, so
that an author mends them all at once.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from outreach.campaigns import audience
from outreach.campaigns.compiling import compile_all, template_of
from outreach.campaigns.dates import event_of
from outreach.campaigns.definition import DEFAULT_TEMPLATE, CampaignError, Definition, load
from outreach.campaigns.frequency import frequency
from outreach.campaigns.pictures import Pictures
from outreach.campaigns.rows import Rows
from outreach.campaigns.samples import typical
from outreach.campaigns.schedule import ScheduleError, how, in_words, parse
from outreach.campaigns.terms import sending_domain
from outreach.campaigns.trial import notice
from outreach.errors import OutreachError
from outreach.preflight import gate, invitation, records
from outreach.preflight.dns import Resolver
from outreach.preflight.draft import City, Draft, Reach, Schedule
from outreach.preflight.findings import Finding, Severity, ordered
from outreach.rendering.compose import Composer
from outreach.rendering.errors import ComposeError, TemplateError, did_you_mean
from outreach.rendering.layouts import Template
from outreach.rendering.message import CompiledMessage
from outreach.rendering.preview import render_preview
from outreach.segmentation.catalogue import load_catalogue
from outreach.segmentation.contradictions import two_values
from outreach.segmentation.errors import RuleError
from outreach.segmentation.fields import Catalogue
from outreach.segmentation.sql import compile_rule
from outreach.settings import Settings
from outreach.store import audiences, campaigns, topics
from outreach.store.database import Store
from outreach.tokens import KeyRing

Report: TypeAlias = Callable[[TemplateError | CampaignError], None]

_NO_KEYS: Final = KeyRing({1: bytes(32)})
"""Nothing made here leaves: the links only have to be as long as real ones."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What the gate says about a campaign file."""

    file: Path
    findings: tuple[Finding, ...]
    languages: tuple[str, ...]
    audience: int | None
    """None when the rule or the topic could not be read."""
    error: OutreachError | None = None
    """What planning would have ended with, when the file cannot be read or compiled at all."""
    excluded: Mapping[str, int] = field(default_factory=dict)
    """Whom the rule chooses and the campaign leaves out, by reason."""
    leaves: str = ""
    """When it is due, in words; empty without a schedule that is still to come."""
    trial: str = ""
    """What trial mode means for it; empty where it is over."""

    @property
    def blocked(self) -> bool:
        return any(finding.blocks for finding in self.findings)


def check(
    store: Store,
    settings: Settings,
    path: Path,
    *,
    segments: Mapping[str, str],
    now: dt.datetime,
    resolver: Resolver | None = None,
) -> Checked:
    """Everything that is wrong with a campaign file. CampaignError only when there is no such file to look at.

    Without a `resolver` nothing is asked about the sending domain.
    """
    found: list[Finding] = []
    errors: list[OutreachError] = []

    def report(error: TemplateError | CampaignError) -> None:
        errors.append(error)
        found.append(_of(error))

    if not path.is_file():
        load(path, default_language="en")  # says so, and what there is instead
    try:
        definitions = load(path, default_language=settings.text("organisation.language"), report=report)
    except CampaignError as error:
        return Checked(path, (*found, _of(error)), (), None, error)
    with store.read() as connection:
        catalogue = load_catalogue(connection, segments=segments)
        pictures = Pictures.of(settings)
        messages, templates = _compiled(definitions, settings, catalogue, report, pictures)
        main = next(iter(definitions.values()))
        drafts = [
            _draft(each, main, messages.get(language), templates.get(language, Template("")), pictures)
            for language, each in definitions.items()
        ]
        composers = {language: _composer(message, settings) for language, message in messages.items()}
        reach = _reach(connection, settings, main, catalogue, composers, messages, report, now=now)
        trial = notice(connection, settings)
        mails = {language: _sample_mail(composers[language], message, now) for language, message in messages.items()}
    found += gate.inspect(
        drafts, city(settings, main), reach=reach, schedule=_schedule(main, settings, now), mails=mails
    )
    found += _event(main, settings, now)
    if resolver is not None:
        found += _domain(resolver, main, settings, now)
    return Checked(
        path,
        tuple(ordered(found)),
        tuple(definitions),
        reach.people if reach else None,
        next(iter(errors), None),
        excluded=reach.excluded if reach else {},
        leaves=_leaves(main, settings, now),
        trial=trial,
    )


def city(settings: Settings, main: Definition) -> City:
    """What the checks need to know of the workspace."""
    pairs = (pair.partition("=") for pair in settings.text("gate.jargon").split(";") if pair.strip())
    return City(
        organisation=settings.text("organisation.name"),
        postal_address=settings.text("organisation.address"),
        domain=sending_domain(settings, main),
        tracking_url=settings.tracking_url,
        link_hosts=tuple(settings.text("gate.link_hosts").lower().replace(",", " ").split()),
        jargon={word.strip().lower(): better.strip() for word, _, better in pairs},
        quiet_hours=_hours(settings.text("gate.quiet_hours")),
        spamd=settings.text("gate.spamd"),
    )


def _compiled(
    definitions: Mapping[str, Definition],
    settings: Settings,
    catalogue: Catalogue,
    report: Report,
    pictures: Pictures,
) -> tuple[dict[str, CompiledMessage], dict[str, Template]]:
    """Each language that compiles, and its template; what keeps the others from it is reported."""
    messages: dict[str, CompiledMessage] = {}
    templates: dict[str, Template] = {}
    for language, definition in definitions.items():
        usable = definition if definition.subject else replace(definition, subject="(none)")
        try:
            templates[language] = template_of(usable, settings)
        except CampaignError as error:
            report(error)
            usable = replace(usable, template=DEFAULT_TEMPLATE)
        try:
            messages |= compile_all(
                {language: usable}, settings, known_fields=catalogue.fields, report=report, pictures=pictures
            )
        except (TemplateError, CampaignError) as error:
            report(error)
    return messages, templates


def _draft(
    definition: Definition,
    main: Definition,
    message: CompiledMessage | None,
    template: Template,
    pictures: Pictures,
) -> Draft:
    """What the checks look at. Of a whole message that is its text, which has the same words and links."""
    whole = bool(template.text) and not definition.body.strip()
    html = text = ""
    if message is not None:
        with contextlib.suppress(ComposeError):  # told with the place, once the real people are rendered
            _, html, text = render_preview(message, typical(message))
    return Draft(
        place=str(definition.path),
        language=definition.language,
        subject=definition.subject,
        preheader=definition.preheader,
        sender=definition.sender,
        reply_to=definition.reply_to,
        body=template.text if whole else definition.body,
        body_line=1 if whole else definition.body_line,
        body_file=f"{template.place}.txt" if whole else "",
        written_in=template.languages,
        images={written: image for address, (written, image) in pictures.used.items() if address in html},
        lines=definition.lines,
        main_place="" if definition is main else str(main.path),
        message=message,
        html=html,
        text=text,
    )


def _composer(message: CompiledMessage, settings: Settings) -> Composer:
    return Composer(
        message,
        campaign_id=0,
        tokens=_NO_KEYS,
        tracking_url=settings.tracking_url,
        domain=settings.text("mail.domain") or message.sender.address.rpartition("@")[2],
        list_id="check.invalid",
        feedback_id="check:check:check:check",
        unsubscribe_mailbox=settings.text("mail.unsubscribe_mailbox") or None,
        signer=None,
    )


def _reach(
    connection: Connection,
    settings: Settings,
    main: Definition,
    catalogue: Catalogue,
    composers: Mapping[str, Composer],
    messages: Mapping[str, CompiledMessage],
    report: Report,
    *,
    now: dt.datetime,
) -> Reach | None:
    """Whom the rule chooses, and how rendering goes for each of them."""
    topic = topics.find(connection, main.topic) if main.topic else None
    if topic is None and main.topic:
        known = [each.name for each in catalogue.topics]
        hint = did_you_mean(main.topic, known) or f"; there are {', '.join(sorted(known))}"
        if not known:
            hint = f"; import people with --topic '{main.topic}', which makes it"
        problem = f"no topic is called {main.topic!r}{hint}"
        report(CampaignError(problem, place=main.path, line=main.lines.get("topic")))
    place = _place(str(main.path), main.to_line)
    try:
        rule = compile_rule(main.to, catalogue, now=now, zone=settings.zone) if main.to else None
    except RuleError as error:
        where = f" (line {error.line}, column {error.column})"  # of the rule; the file's line is told
        report(CampaignError(f"`to:` {str(error).replace(where, '')}", place=main.path, line=main.to_line))
        return None
    if rule is None or topic is None:
        return None
    purpose = audience.Purpose(topic.id, topic.message_class, file=main.name, name=main.name)
    chosen = audience.choose(connection, rule, purpose=purpose, frequency=frequency(settings), now=now)
    rows = Rows(composers, messages, default=main.language, known=catalogue.fields, now=now)
    rows.render(audiences.people(connection, chosen.people))
    return Reach(
        place=place,
        people=rows.people,
        excluded=chosen.excluded,
        message_class=topic.message_class,
        topic=topic.name,
        locales=audiences.locales(connection, chosen.people),
        without_evidence=audiences.without_evidence(connection, chosen.people, topic_id=topic.id)
        if purpose.needs_consent
        else 0,
        previous=tuple(campaigns.previous_sizes(connection, main.name)),
        failures=tuple(rows.failures()),
        heaviest=rows.heaviest(),
        hint=two_values(main.to),
    )


def _sample_mail(composer: Composer, message: CompiledMessage, now: dt.datetime) -> bytes:
    try:
        return composer.compose(typical(message), now=now).data
    except ComposeError:
        return b""


def _schedule(main: Definition, settings: Settings, now: dt.datetime) -> Schedule | None:
    if not main.schedule:
        return None
    zone = settings.text("organisation.timezone")
    at = None
    with contextlib.suppress(ScheduleError):
        planned = parse(main.schedule, default_zone=zone)
        at = next(planned.occurrences(after=now), planned.first.replace(tzinfo=settings.zone)).astimezone(settings.zone)
    return Schedule(place=_place(str(main.path), main.lines.get("schedule")), written=main.schedule, at=at, now=now)


def _domain(resolver: Resolver, main: Definition, settings: Settings, now: dt.datetime) -> Iterable[Finding]:
    return records.check(
        resolver,
        sending=sending_domain(settings, main),
        sender=main.sender.address.rpartition("@")[2].lower(),
        selector=settings.text("mail.dkim_selector"),
        key=settings.key("mail.dkim_key"),
        relay=urlsplit(settings.text("relay.url")).hostname or "",
        now=now,
    )


def _leaves(main: Definition, settings: Settings, now: dt.datetime) -> str:
    """`Monday, 30 November 2026, 8:30 …`; empty without a schedule, or one that is over or cannot be read."""
    with contextlib.suppress(ScheduleError):
        planned = parse(main.schedule, default_zone=settings.text("organisation.timezone"))
        if at := next(planned.occurrences(after=now), None):
            odd = "" if planned.recurring else how(planned.first, ZoneInfo(planned.zone))
            again = f", and again by {planned.rule}" if planned.recurring else ""
            return in_words(at, planned.zone) + again + (f" ({odd})" if odd else "")
    return ""


def _event(main: Definition, settings: Settings, now: dt.datetime) -> Iterator[Finding]:
    with contextlib.suppress(CampaignError, ScheduleError):  # told when it was compiled, or as a schedule
        zone = settings.text("organisation.timezone")
        event = event_of(main, default_zone=zone)
        leaves = next(parse(main.schedule, default_zone=zone).occurrences(after=now), now) if main.schedule else now
        place = _place(str(main.path), main.lines.get("event"))
        yield from invitation.check(event, place, leaves=leaves)


def _hours(text: str) -> tuple[dt.time, dt.time] | None:
    """21:00-08:00 as two times; nothing where nothing (or nonsense) is set."""
    begin, dash, end = text.partition("-")
    try:
        return (dt.time.fromisoformat(begin.strip()), dt.time.fromisoformat(end.strip())) if dash else None
    except ValueError:
        return None


def _place(file: str, line: int | None) -> str:
    return f"{file}, line {line}" if line else file


_KINDS: Final = (
    ("a file is never sent", "campaign file"),
    ("`event:`", "event"),
    ("`to:`", "audience"),
    ("no field is called", "fields"),
    ("link", "links"),
    ("no template is called", "template"),
    ("no topic is called", "topic"),
)
"""By what a fault says, the check under whose name it is told."""


def _of(error: TemplateError | CampaignError) -> Finding:
    """A fault that reading or compiling told us, as a finding."""
    otherwise = "campaign file" if isinstance(error, CampaignError) else "template"
    check = next((kind for words, kind in _KINDS if words in error.problem), otherwise)
    if check == "audience":  # drawn over several lines, with a caret
        return Finding(check, Severity.BLOCK, _place(error.place, error.line), error.problem, "mend the rule there")
    problem, _, remedy = error.problem.partition(", as in  " if check == "event" else "; ")
    return Finding(check, Severity.BLOCK, _place(str(error.place), error.line), problem, remedy or "mend it there")
