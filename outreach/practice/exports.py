"""Writes what four old systems would export about the practice city, with their habits and their dirt.

One function per file. Each writes bytes that the real systems would: their encoding, delimiter,
quoting, column names and date format; see the awkward part in each docstring.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from uuid import UUID

from outreach.practice.people import Person, Record, Refusal

_ISO = "%Y-%m-%d %H:%M:%S"
_NOTES = ("", "", "", "called 311", "moved?\nsee file", "=1+1", 'says "call back", twice')
_STREETS = ("J St", "K St", "L St", "Alhambra Blvd", "Calle Ocho", "O’Farrell Ct")
_ORIGINS = ("Direct", "Network", "Overlay", "Upload: “spring fair” list")
_PREFERENCES = ("Immediate", "Daily Digest", "Weekly Digest")
_REASONS = ("No longer interested", "I never signed up", "NORMAL", "")
_LANGUAGE_NAMES = {"en": "English", "es": "Español"}


def mailchimp(path: Path, records: Iterable[Record], *, dice: Random) -> None:
    """UTF-8 with a byte order mark; TAGS is a quoted list in a quoted cell; notes with newlines and formulas."""
    head = [
        "Email Address", "First Name", "Last Name", "Address", "Phone Number", "District", "Language", "MEMBER_RATING",
        "OPTIN_TIME", "OPTIN_IP", "CONFIRM_TIME", "CONFIRM_IP", "LAST_CHANGED", "LEID", "EUID", "NOTES", "TAGS",
    ]  # fmt: skip
    rows = [head]
    for line, record in enumerate(records):
        person = record.person
        confirmed = (person.joined + timedelta(minutes=7)).strftime(_ISO) if person.confirmed else ""
        rows.append([
            record.written, person.first_name, person.last_name,
            f"{dice.randrange(100, 9999)} {dice.choice(_STREETS)}  Sacramento  CA  {person.zip}", person.phone,
            str(person.district), person.language, str(dice.randint(1, 5)), person.joined.strftime(_ISO), "", confirmed,
            "", (person.joined + timedelta(days=30)).strftime(_ISO), str(line), f"{dice.getrandbits(40):010x}",
            dice.choice(_NOTES), ",".join(f'"{topic}"' for topic in person.topics),
        ])  # fmt: skip
    _write(path, rows, encoding="utf-8-sig")


def mailchimp_unsubscribed(path: Path, people: Iterable[Person], *, dice: Random) -> None:
    """Whoever is here must not be written to, whatever another file says later."""
    rows = [["Email Address", "First Name", "Last Name", "UNSUB_TIME", "UNSUB_REASON"]]
    for person in people:
        left = person.joined + timedelta(days=dice.randint(1, 20))
        address = dice.choice((person.address,) * 8 + (person.address.upper(), f"  {person.address} "))
        rows.append([address, person.first_name, person.last_name, left.strftime(_ISO), dice.choice(_REASONS)])
    _write(path, rows, encoding="utf-8-sig")


def govdelivery(path: Path, records: Iterable[Record], *, dice: Random) -> None:
    """One row per subscriber and topic, in cp1252, with rows of telephone numbers among them."""
    rows = [["Contact", "Subscription Type", "Topic Name", "Subscription Date", "Origin", "Delivery Preference"]]
    for record in records:
        person = record.person
        since = person.joined.strftime("%m/%d/%Y %I:%M %p")
        for topic in person.topics:
            choices = [dice.choice(_ORIGINS), dice.choice(_PREFERENCES)]
            rows.append([record.written, "EMAIL", topic, since, *choices])
        if person.phone and dice.random() < 0.05:
            rows.append([person.phone, "SMS", person.topics[0], since, "Direct", "Immediate"])
    _write(path, rows, encoding="cp1252")


def salesforce(path: Path, records: Iterable[Record]) -> None:
    """A German report: semicolons, Latin-1 (what it lacks became `?`), everything quoted, two footer lines."""
    head = [
        "Contact ID", "Vorname", "Nachname", "E-Mail", "Mailing Zip/Postal Code", "Council District", "Email Opt Out",
        "Preferred Language", "Renter", "Last Activity",
    ]  # fmt: skip
    rows = [head]
    for line, record in enumerate(records):
        person = record.person
        rows.append([
            f"003{line:012}", person.first_name, person.last_name, record.written, person.zip,
            f"District {person.district}", str(int(person.refusal is Refusal.OPTED_OUT)),
            _LANGUAGE_NAMES.get(person.language, person.language), str(person.renter).upper(),
            person.joined.strftime("%d.%m.%Y"),
        ])  # fmt: skip
    blank = [""] * (len(head) - 1)
    rows += [["Gesamt", *blank], ["Copyright (c) Stadt", *blank]]
    _write(path, rows, encoding="latin-1", delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\r\n")


def listmonk(path: Path, records: Iterable[Record], *, dice: Random) -> None:
    """Attributes as JSON in a column; a status that may say blocklisted."""
    rows = [["uuid", "email", "name", "attributes", "status", "created_at", "updated_at"]]
    for record in records:
        person = record.person
        attributes = {
            "district": person.district, "zip": person.zip, "language": person.language, "renter": person.renter
        }  # fmt: skip
        since = person.joined.strftime("%Y-%m-%dT%H:%M:%SZ")
        rows.append([
            str(UUID(int=dice.getrandbits(128), version=4)), record.written, f"{person.first_name} {person.last_name}",
            json.dumps(attributes), "blocklisted" if person.refusal is Refusal.BLOCKLISTED else "enabled", since, since,
        ])  # fmt: skip
    _write(path, rows, encoding="utf-8")


def _write(
    path: Path,
    rows: Iterable[Sequence[str]],
    *,
    encoding: str,
    delimiter: str = ",",
    quoting: int = csv.QUOTE_MINIMAL,
    lineterminator: str = "\n",
) -> None:
    with path.open("w", encoding=encoding, errors="replace", newline="") as file:
        csv.writer(file, delimiter=delimiter, quoting=quoting, lineterminator=lineterminator).writerows(rows)  # type: ignore[arg-type]
