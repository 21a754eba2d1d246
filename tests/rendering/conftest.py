"""One campaign as staff would write it, and the people who get it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from outreach.rendering.compose import Composer
from outreach.rendering.layouts import read_layout
from outreach.rendering.message import CompiledMessage, Mailbox, Recipient, Source, compile_message
from outreach.tokens import KeyRing

FIELDS = ("email", "first_name", "last_name", "district", "zip", "language", "renter", "phone", "joined", "ward")

BODY = """Hello {{ first_name | default("neighbour") }},

sweeping in district {{ district }} starts on **Monday**. [See your street](https://city.example/sweeping?a=1&b=2).

{% if renter %}
You rent: ask about the garage.
{% endif %}

**[Move the car](https://city.example/move)**
"""


@pytest.fixture
def write() -> Callable[..., Source]:
    """A source; say what differs."""

    def written(**changes: Any) -> Source:
        given: dict[str, Any] = {
            "subject": "Street sweeping in district {{ district }}",
            "body": BODY,
            "sender": Mailbox("Public Works", "works@city.example"),
            "layout": read_layout(),
            "organisation": "City of Example",
            "postal_address": "1 Main Street, Example 95814",
            "topic": "Parking & street sweeping",
            "place": "campaigns/sweeping.md",
        }
        return Source(**{**given, **changes})

    return written


@pytest.fixture
def compiled(write: Callable[..., Source]) -> Callable[..., CompiledMessage]:
    return lambda **changes: compile_message(write(**changes), known_fields=FIELDS)


@pytest.fixture
def ada() -> Recipient:
    attributes = {
        "email": "ada@example.com",
        "first_name": "Ada",
        "last_name": "O'Neill",
        "district": "3",
        "renter": True,
    }
    return Recipient(7, "ada@example.com", attributes)


@pytest.fixture
def composer() -> Callable[..., Composer]:
    """A composer for campaign 5 at City of Example; say what differs."""

    def made(message: CompiledMessage, **changes: Any) -> Composer:
        given: dict[str, Any] = {
            "campaign_id": 5,
            "tokens": KeyRing({1: b"k" * 32}),
            "tracking_url": "https://news.city.example",
            "domain": "city.example",
            "list_id": "parking.city.example",
            "feedback_id": "5:parking:bulk:cityexample",
            "unsubscribe_mailbox": None,
            "signer": None,
        }
        return Composer(message, **{**given, **changes})

    return made
