"""A practice city: its people, the messy exports of its four old systems, and the truth about them.

Seeded: the same folder contents for the same number of people and seed. The truth is what an import
of all files, in any order, must come to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from outreach.practice import exports
from outreach.practice.people import TOPICS, Record, Refusal, System, draw_people, draw_records

__all__ = ["TOPICS", "City", "make_exports"]


@dataclass(frozen=True, slots=True)
class City:
    """Where the exports are, and what is true. Addresses are in their normal form: lower case."""

    mailchimp: Path
    mailchimp_unsubscribed: Path
    govdelivery: Path
    salesforce: Path
    listmonk: Path
    people: int
    reachable: frozenset[str]
    """Addresses that are written validly in at least one file, opted out or not."""
    opted_out: frozenset[str]
    """Who must not be mailed: unsubscribed at Mailchimp, opted out in Salesforce, blocklisted in listmonk."""
    subscribed: Mapping[str, frozenset[str]]
    """By topic: who asked for it in Mailchimp (and confirmed) or GovDelivery, and did not opt out since."""
    unconfirmed: frozenset[str]
    """Who never confirmed at Mailchimp (CONFIRM_TIME is empty); GovDelivery may have their consent all the same."""
    fates: Mapping[str, str]
    """Addresses whose mailbox does something other than accept (see `mailboxes`)."""

    @property
    def files(self) -> tuple[Path, ...]:
        """All five, in the order in which a careful person would import them: who left comes first."""
        return (self.mailchimp_unsubscribed, self.mailchimp, self.govdelivery, self.salesforce, self.listmonk)


def make_exports(folder: Path, people: int = 2_000, seed: int = 1) -> City:
    """Write the five files of a city of so many people into `folder`, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    dice = Random(seed)
    everybody = list(draw_people(people, dice=dice))
    held: dict[System, list[Record]] = defaultdict(list)
    for person in everybody:
        for system, record in draw_records(person, dice=dice):
            held[system].append(record)
    opted_out = frozenset(person.address for person in everybody if person.refusal)
    city = City(
        mailchimp=folder / "mailchimp-audience-export.csv",
        mailchimp_unsubscribed=folder / "mailchimp-unsubscribed-export.csv",
        govdelivery=folder / "govdelivery-subscriber-topics.csv",
        salesforce=folder / "salesforce-contacts-report.csv",
        listmonk=folder / "listmonk-subscribers.csv",
        people=people,
        reachable=frozenset().union(*map(_written, held.values())),
        opted_out=opted_out,
        subscribed=_subscribed(held, opted_out),
        unconfirmed=frozenset(person.address for person in everybody if not person.confirmed)
        & _written(held[System.MAILCHIMP]),
        fates={person.address: person.fate for person in everybody if person.fate},
    )
    left = [person for person in everybody if person.refusal is Refusal.UNSUBSCRIBED]
    exports.mailchimp_unsubscribed(city.mailchimp_unsubscribed, left, dice=dice)
    exports.mailchimp(city.mailchimp, held[System.MAILCHIMP], dice=dice)
    exports.govdelivery(city.govdelivery, held[System.GOVDELIVERY], dice=dice)
    exports.salesforce(city.salesforce, held[System.SALESFORCE])
    exports.listmonk(city.listmonk, held[System.LISTMONK], dice=dice)
    return city


def _written(rows: Iterable[Record]) -> frozenset[str]:
    return frozenset(record.person.address for record in rows if record.valid)


def _subscribed(held: Mapping[System, list[Record]], opted_out: frozenset[str]) -> dict[str, frozenset[str]]:
    wanted: dict[str, set[str]] = {topic: set() for topic in TOPICS}
    asked = [record for record in held[System.MAILCHIMP] if record.person.confirmed] + held[System.GOVDELIVERY]
    for record in asked:
        if record.valid and record.person.address not in opted_out:
            for topic in record.person.topics:
                wanted[topic].add(record.person.address)
    return {topic: frozenset(addresses) for topic, addresses in wanted.items()}
