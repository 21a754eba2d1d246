"""The gate over one campaign file: read it, compile it, render every row of its audience, and collect what is wrong.

Nothing is planned, written or sent. Unlike planning, which ends at the first fault, this goes on past each one, so
that an author mends them all at once.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from sqlalchemy import Connection

from outreach.campaigns import audience
from outreach.campaigns.compiling import compile_all
from outreach.campaigns.definition import DEFAULT_TEMPLATE, CampaignError, Definition, load
from outreach.campaigns.frequency import frequency
from outreach.campaigns.samples import typical
from outreach.campaigns.schedule import ScheduleError, parse
from outreach.campaigns.terms import sending_domain
from outreach.errors import OutreachError
from outreach.preflight import gate, records
from outreach.preflight.dns import Resolver
from outreach.preflight.draft import City, Draft, Failure, Reach, Schedule
from outreach.preflight.findings import Finding, Severity, ordered
from outreach.rendering.compose import Composer
from outreach.rendering.errors import ComposeError, MissingValue, TemplateError, did_you_mean
from outreach.rendering.layouts import read_layout
from outreach.rendering.links import CLICK_BASE, PERSONAL_URLS
from outreach.rendering.message import CompiledMessage, Message, Recipient
from outreach.rendering.preview import render_preview
from outreach.segmentation.catalogue import load_catalogue
from outreach.segmentation.errors import RuleError
from outreach.segmentation.fields import Catalogue
from outreach.segmentation.sql import compile_rule
from outreach.settings import Settings
from outreach.store import audiences, campaigns, topics
from outreach.store.database import Store
from outreach.tokens import KeyRing

Report: TypeAlias = Callable[[TemplateError | CampaignError], None]

BATCH: Final = 64
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
        messages = _compiled(definitions, settings, catalogue, report)
        main = next(iter(definitions.values()))
        drafts = [_draft(each, main, messages.get(language)) for language, each in definitions.items()]
        composers = {language: _composer(message, settings) for language, message in messages.items()}
        reach = _reach(connection, settings, main, catalogue, composers, messages, report, now=now)
        mails = {language: _sample_mail(composers[language], message, now) for language, message in messages.items()}
    found += gate.inspect(
        drafts, city(settings, main), reach=reach, schedule=_schedule(main, settings, now), mails=mails
    )
    if resolver is not None:
        found += records.check(
            resolver,
            sending=sending_domain(settings, main),
            sender=main.sender.address.rpartition("@")[2].lower(),
            selector=settings.text("mail.dkim_selector"),
            key_file=settings.path("mail.dkim_key"),
            relay=urlsplit(settings.text("relay.url")).hostname or "",
            now=now,
        )
    people = reach.people if reach else None
    return Checked(path, tuple(ordered(found)), tuple(definitions), people, next(iter(errors), None))


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
    definitions: Mapping[str, Definition], settings: Settings, catalogue: Catalogue, report: Report
) -> dict[str, CompiledMessage]:
    """Each language that compiles; what keeps the others from it is reported."""
    messages: dict[str, CompiledMessage] = {}
    for language, definition in definitions.items():
        usable = definition if definition.subject else replace(definition, subject="(none)")
        try:
            read_layout(definition.template, folders=[settings.root / "templates"])
        except OutreachError as error:
            report(CampaignError(str(error), place=definition.path, line=definition.lines.get("template")))
            usable = replace(usable, template=DEFAULT_TEMPLATE)
        try:
            messages |= compile_all({language: usable}, settings, known_fields=catalogue.fields, report=report)
        except (TemplateError, CampaignError) as error:
            report(error)
    return messages


def _draft(definition: Definition, main: Definition, message: CompiledMessage | None) -> Draft:
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
        body=definition.body,
        body_line=definition.body_line,
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
        report(CampaignError(f"`to:` {error}", place=main.path, line=main.to_line))
        return None
    if rule is None or topic is None:
        return None
    purpose = audience.Purpose(topic.id, topic.message_class, file=main.name, name=main.name)
    chosen = audience.choose(connection, rule, purpose=purpose, frequency=frequency(settings), now=now)
    rows = _Rows(composers, messages, default=main.language, known=catalogue.fields, now=now)
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
    )


class _Rows:
    """Renders everybody's message and remembers what failed, for how many, and who gets the most."""

    def __init__(
        self,
        composers: Mapping[str, Composer],
        messages: Mapping[str, CompiledMessage],
        *,
        default: str,
        known: Collection[str],
        now: dt.datetime,
    ) -> None:
        self._composers, self._messages, self._default, self._now = composers, messages, default, now
        self._known = known
        self._failed: dict[tuple[str, str, str], list[int]] = {}
        self._largest: dict[str, tuple[int, Recipient]] = {}
        self.people = 0

    def render(self, people: Iterable[audiences.Person]) -> None:
        pending: dict[str, list[Recipient]] = {}
        for person in people:
            self.people += 1
            language = self._language(person.locale)
            if language in self._composers:
                batch = pending.setdefault(language, [])
                batch.append(_recipient(person))
                if len(batch) == BATCH:
                    self._batch(language, pending.pop(language))
        for language, batch in pending.items():
            self._batch(language, batch)

    def _language(self, locale: str | None) -> str:
        for language in self._messages:
            if locale and (locale == language or locale.startswith(f"{language}-")):
                return language
        return self._default

    def _batch(self, language: str, batch: list[Recipient]) -> None:
        composer = self._composers[language]
        for recipient, made in zip(batch, composer.compose_many(batch, now=self._now), strict=True):
            result: Message | ComposeError = made
            used = recipient
            for _ in range(len(self._messages[language].fields) + 1):
                if not isinstance(result, MissingValue):
                    break
                self._fail(language, f"no value for {result.field}", result.field, recipient)
                # As if it were known, to find what else this person lacks.
                used = replace(used, attributes={**used.attributes, result.field: "x"})
                (result,) = composer.compose_many([used], now=self._now)
            if isinstance(result, ComposeError):
                self._fail(language, str(result), "", recipient)
            elif len(result.data) > self._largest.get(language, (0, used))[0]:
                self._largest[language] = len(result.data), used

    def _fail(self, language: str, problem: str, field: str, recipient: Recipient) -> None:
        counted = self._failed.setdefault((language, problem, field), [0, recipient.subscriber_id])
        counted[0] += 1

    def failures(self) -> Iterator[Failure]:
        for (language, problem, field), (people, example) in self._failed.items():
            if not field or field in self._known:  # what nobody has is told already
                yield Failure(language=language, problem=problem, people=people, example=example, field=field)

    def heaviest(self) -> dict[str, int]:
        """Bytes of the HTML as its reader's program will count them."""
        urls = dict.fromkeys((*PERSONAL_URLS, CLICK_BASE), f"https://tracking.invalid/{'x' * 32}")
        return {
            language: len(render_preview(self._messages[language], recipient, urls=urls)[1].encode())
            for language, (_, recipient) in self._largest.items()
        }


def _recipient(person: audiences.Person) -> Recipient:
    attributes: dict[str, Any] = {
        **person.attributes,
        "email": person.address,
        "language": person.locale,
        "joined": person.joined_at,
    }
    return Recipient(person.subscriber_id, person.address, attributes)


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
    problem, _, remedy = error.problem.partition("; ")
    return Finding(check, Severity.BLOCK, _place(str(error.place), error.line), problem, remedy or "mend it there")
