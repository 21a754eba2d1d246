"""Everything we hold about one person, as one document: what `subscribers show` prints."""

from __future__ import annotations

from typing import Any

from outreach.store import consent, history, subscribers, suppressions
from outreach.store.database import Store


def story(store: Store, address: str) -> dict[str, Any] | None:
    """The document for a normalised address, ready for JSON; None if we know nothing about it."""
    with store.read() as connection, store.read_events() as events:
        person = subscribers.find(connection, address)
        suppression = suppressions.find(connection, address)
        if person is None and suppression is None:
            return None
        found: dict[str, Any] = {
            "address": address,
            "id": person.id if person else None,
            "status": person.status.name.lower() if person else None,
            "language": person.locale if person else None,
            "joined": _moment(person.joined_at) if person else None,
            "suppression": _suppression(suppression) if suppression else None,
            "attributes": dict(person.attributes) if person else {},
            "topics": [],
            "history": [],
        }
        if person:
            found["topics"] = [
                {
                    "name": each.topic,
                    "status": each.status.name.lower(),
                    "frequency": each.frequency.name.lower().replace("_", " "),
                    "since": _moment(each.changed_at),
                }
                for each in consent.subscriptions_of(connection, person.id)
            ]
            found["history"] = [
                {"at": _moment(line.at), "what": line.what, "detail": line.detail}
                for line in history.of_person(connection, events, person)
            ]
        return found


def _suppression(found: suppressions.Suppression) -> dict[str, Any]:
    return {
        "reason": found.reason.value,
        "source": found.source,
        "at": _moment(found.at),
        "detail": found.detail,
    }


def _moment(moment: Any) -> str | None:
    return moment.isoformat() if moment else None
