"""The people of the practice city, and in which of its four old systems each is known, under which spelling."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from random import Random

from outreach.practice.names import FIRST, LANGUAGES, LAST, plain

TOPICS = (
    "Parking & street sweeping", "City council agenda", "Emergency alerts", "Housing", "Library events",
    "Parks and recreation", "Permits & planning", "Public health", "Road works", "Utilities & water",
)  # fmt: skip
"""The first is the one most people want, and everybody with a fate, so that even a small demo meets every fate."""
POPULAR_SHARE = 0.4
OTHER_TOPIC_SHARE = 0.12

FATE_SHARES = {"hard": 0.015, "full": 0.01, "greylist": 0.01, "slow": 0.002, "vanish": 0.002, "complain": 0.004}
MOST_VANISH = 8
"""A relay that cuts the line on more people than this, one after the other, is broken, and sending rightly stops."""
FATES_FROM = 50
"""In a city of at least so many people, every fate has somebody."""

DOMAINS = {
    "gmail.example": 40, "yahoo.example": 14, "outlook.example": 10, "icloud.example": 9, "hotmail.example": 8,
    "comcast.example": 5, "att.example": 3, "city.example": 2, **{f"mail{number}.example": 1 for number in range(40)},
}  # fmt: skip

FIRST_DAY = datetime(2016, 1, 4, 8)  # noqa: DTZ001  (exports write local times without a zone)
DAYS = 3900


class System(Enum):
    """Where a person's data come from; the value is the share of people it knows."""

    MAILCHIMP = 0.56
    GOVDELIVERY = 0.42
    SALESFORCE = 0.37
    LISTMONK = 0.26


class Refusal(Enum):
    """How a person said no. The value is the share of people who did."""

    UNSUBSCRIBED = 0.05
    OPTED_OUT = 0.03
    BLOCKLISTED = 0.01


RECORDS_IT = {
    Refusal.UNSUBSCRIBED: System.MAILCHIMP,
    Refusal.OPTED_OUT: System.SALESFORCE,
    Refusal.BLOCKLISTED: System.LISTMONK,
}


@dataclass(frozen=True, slots=True)
class Person:
    """One made-up resident."""

    number: int
    first_name: str
    last_name: str
    address: str
    """As it should be after normalisation: lower case ASCII."""
    district: int
    zip: str
    language: str
    renter: bool
    phone: str
    joined: datetime
    topics: tuple[str, ...]
    fate: str
    refusal: Refusal | None
    confirmed: bool
    systems: frozenset[System]


@dataclass(frozen=True, slots=True)
class Record:
    """One row about a person in one system, with the address as somebody once typed it there."""

    person: Person
    written: str
    valid: bool


INVALID = (
    "not an address", "missing-at.example", "nodomain@", "@nolocal.example", "two@@at.example", "a b@space.example",
    ".lead@dot.example", "dot.@end.example", "x@-dash.example", "x@exa mple.example", "comma,in@x.example",
    'quoted"x@y.example', "=cmd|'/c calc'!A1", "ünïcode@bücher",
)  # fmt: skip
INVALID_SHARE = 0.01
ODD_SHARE = 0.04
DOUBLE_SHARE = 0.05


def draw_people(count: int, *, dice: Random) -> Iterator[Person]:
    """`count` people, each known to at least one system. Whoever refused is in the system that recorded it."""
    fates = _fates(count, dice)
    languages, domains = list(LANGUAGES), list(DOMAINS)
    language_shares, domain_shares = list(LANGUAGES.values()), list(DOMAINS.values())
    for number in range(count):
        language = dice.choices(languages, language_shares)[0]
        first, last = (dice.choice(pool[language if dice.random() < 0.9 else "en"]) for pool in (FIRST, LAST))
        fate = fates.get(number, "")
        local = ".".join(filter(None, (fate, plain(first), plain(last)))) + str(number)
        refusal = None if fate else _refusal(dice)
        systems = {system for system in System if dice.random() < system.value}
        if fate or not systems:
            systems.add(System.MAILCHIMP)
        if refusal:
            systems.add(RECORDS_IT[refusal])
        district = dice.randint(1, 8)
        yield Person(
            number=number,
            first_name=first,
            last_name=last,
            address=f"{local}@{dice.choices(domains, domain_shares)[0]}",
            district=district,
            zip=str(95806 + 4 * district + dice.randrange(4)),
            language=language,
            renter=dice.random() < 0.42,
            phone=f"+1 916 555 01{dice.randrange(100):02}",
            joined=FIRST_DAY + timedelta(days=dice.randrange(DAYS), minutes=dice.randrange(14 * 60)),
            topics=_topics(dice, fated=bool(fate)),
            fate=fate,
            refusal=refusal,
            confirmed=bool(fate) or dice.random() < 0.99,
            systems=frozenset(systems),
        )


def draw_records(person: Person, *, dice: Random) -> Iterator[tuple[System, Record]]:
    """What the old systems hold about a person: odd spellings, some twice, some addresses ruined.

    Nobody's refusal is ruined: who said no can always be found again.
    """
    for system in System:
        if system not in person.systems:
            continue
        if not person.refusal and not person.fate and dice.random() < INVALID_SHARE:
            yield system, Record(person, dice.choice(INVALID), valid=False)
            continue
        written = _odd(person.address, dice) if dice.random() < ODD_SHARE else person.address
        yield system, Record(person, written, valid=True)
        if dice.random() < DOUBLE_SHARE:
            moved = replace(person, phone="")
            yield system, Record(moved, person.address.upper(), valid=True)


def _fates(count: int, dice: Random) -> dict[int, str]:
    least = 1 if count >= FATES_FROM else 0
    shares = {fate: max(least, round(share * count)) for fate, share in FATE_SHARES.items()}
    shares["vanish"] = min(shares["vanish"], MOST_VANISH)
    wanted = [fate for fate, number in shares.items() for _ in range(number)]
    return dict(zip(dice.sample(range(count), len(wanted)), wanted, strict=True))


def _refusal(dice: Random) -> Refusal | None:
    throw = dice.random()
    for refusal in Refusal:
        throw -= refusal.value
        if throw < 0:
            return refusal
    return None


def _topics(dice: Random, *, fated: bool) -> tuple[str, ...]:
    popular, *others = TOPICS
    chosen = [popular] if fated or dice.random() < POPULAR_SHARE else []
    chosen += [topic for topic in others if dice.random() < OTHER_TOPIC_SHARE]
    return tuple(chosen) or (dice.choice(others),)


def _odd(address: str, dice: Random) -> str:
    local, _, domain = address.partition("@")
    return dice.choice(
        (
            f"  {address} ",
            f"mailto:{address}",
            f"<{address}>",
            address.upper(),
            f"{local.title()}@{domain}",
            f"{local}@{domain.upper()}",
        )
    )
