"""Made-up people, from the plain one to the ones that break mails: for previews, and for checks that need somebody."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, Final

from outreach.rendering.message import CompiledMessage, Recipient

ADDRESS: Final = "sample@example.com"

SAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "typical": {"first_name": "Ada", "last_name": "Haddad", "district": "3", "zip": "95814", "language": "en"},
    "long-name": {
        "first_name": "Wilhelmina-Bartholomea Konstantinopolitanska",
        "last_name": "von Hohenzollern-Sigmaringen-Featherstonehaugh",
        "district": "3",
        "zip": "95814",
        "language": "en",
    },
    "nothing-known": {},
    "right-to-left": {"first_name": "مريم", "last_name": "الحداد", "district": "4", "zip": "95815", "language": "ar"},
    "awkward": {"first_name": 'D’Arcy 🦆 "Bo"', "last_name": "O'Neill <b>", "district": "7", "zip": "95811"},
}

_YES: Final[Mapping[str, tuple[bool, bool]]] = {
    "typical": (False, False),
    "long-name": (True, True),
    "right-to-left": (True, False),
    "awkward": (False, True),
}
"""Who has yes, of the first, third … and of the second, fourth … yes/no field: two of them in all four ways."""

_KNOWN: Final[Mapping[str, Any]] = {
    **SAMPLES["typical"],
    "renter": True,
    "phone": "+1 916 555 0100",
    "joined": dt.datetime(2026, 1, 15, tzinfo=dt.UTC),
    "email": ADDRESS,
}


def answers(who: str, yes_or_no: Iterable[str]) -> dict[str, bool]:
    """What a sample person has in these yes/no fields, so that every {% if field %} is seen both ways."""
    mine = _YES.get(who)
    return {field: mine[number % 2] for number, field in enumerate(yes_or_no)} if mine else {}


def typical(message: CompiledMessage) -> Recipient:
    """Somebody of whom everything is known that this message asks for."""
    attributes = {field: _KNOWN.get(field, f"({field.replace('_', ' ')})") for field in message.fields}
    return Recipient(0, ADDRESS, {**_KNOWN, **attributes})
