"""Small exports for tests, each in the shape of a system we know."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path


def written(folder: Path, name: str, content: str | bytes, *, at: int = 1_760_000_000) -> Path:
    """A file, last changed at a known second."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    os.utime(path, (at, at))
    return path


def table(header: Iterable[str], rows: Iterable[Iterable[str]], *, delimiter: str = ",") -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def mailchimp(*people: Mapping[str, str]) -> str:
    header = [
        "Email Address",
        "First Name",
        "Last Name",
        "District",
        "Language",
        "OPTIN_TIME",
        "CONFIRM_TIME",
        "LAST_CHANGED",
        "LEID",
        "TAGS",
    ]
    return "\ufeff" + table(header, [[_said(person, name) for name in header] for person in people])


def _said(person: Mapping[str, str], name: str) -> str:
    """Whoever opted in confirmed, unless a test says otherwise."""
    return person.get(name, person.get("OPTIN_TIME", "2020-01-01 00:00:00") if name == "CONFIRM_TIME" else "")


def mailchimp_unsubscribed(*addresses: str, at: str = "2024-05-01 10:00:00") -> str:
    return table(["Email Address", "UNSUB_TIME", "UNSUB_REASON"], [[address, at, ""] for address in addresses])


def salesforce(*people: Mapping[str, str]) -> str:
    header = ["Contact ID", "Vorname", "Nachname", "E-Mail", "Council District", "Email Opt Out", "Last Activity"]
    return table(header, [[person.get(name, "") for name in header] for person in people], delimiter=";")


def govdelivery(*rows: tuple[str, str, str, str, str]) -> str:
    """Contact, type, topic, date, preference."""
    header = ["Contact", "Subscription Type", "Topic Name", "Subscription Date", "Origin", "Delivery Preference"]
    return table(header, [(*row[:4], "Direct", row[4]) for row in rows])


def listmonk(*people: tuple[str, str, Mapping[str, object], str, str]) -> str:
    """E-mail, name, attributes, status, updated at."""
    header = ["uuid", "email", "name", "attributes", "status", "created_at", "updated_at"]
    rows = [("u", email, name, json.dumps(more), status, at, at) for email, name, more, status, at in people]
    return table(header, rows)
