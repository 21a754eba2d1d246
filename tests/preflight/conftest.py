"""A well-written campaign to spoil in one place at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from outreach.campaigns.samples import typical
from outreach.preflight.draft import City, Draft, Reach
from outreach.rendering.layouts import read_layout
from outreach.rendering.message import Mailbox, Source, compile_message
from outreach.rendering.preview import render_preview

BODY = """# Street sweeping

Hello {{ first_name | default("neighbour") }},

sweeping starts on Monday. Please move your car by eight.

**[See your street](https://city.example/sweeping)**

![A map of the streets](https://city.example/map.png)
"""
FIELDS = ("email", "first_name", "last_name", "district", "zip", "language", "joined")


@pytest.fixture
def city() -> Callable[..., City]:
    def made(**changes: Any) -> City:
        given: dict[str, Any] = {
            "organisation": "City of Example",
            "postal_address": "1 Main Street, Example 95814",
            "domain": "city.example",
            "tracking_url": "https://news.city.example",
        }
        return City(**{**given, **changes})

    return made


@pytest.fixture
def draft() -> Callable[..., Draft]:
    """A compiled draft; say what differs. The body begins in line 8 of its file."""

    def made(**changes: Any) -> Draft:
        given: dict[str, Any] = {
            "subject": "Street sweeping starts on Monday",
            "preheader": "Please move your car by eight",
            "sender": Mailbox("Public Works", "works@city.example"),
            "reply_to": None,
            "language": "en",
            "body": BODY,
            "layout": read_layout(),
            "postal_address": "1 Main Street, Example 95814",
            **changes,
        }
        layout, address = given.pop("layout"), given.pop("postal_address")
        message = compile_message(
            Source(
                subject=given["subject"],
                body=given["body"],
                sender=given["sender"],
                language=given["language"],
                preheader=given["preheader"],
                layout=layout,
                organisation="City of Example",
                postal_address=address,
                topic="Street sweeping",
                place="campaigns/sweeping.md",
                first_line=8,
            ),
            known_fields=FIELDS,
        )
        _, html, text = render_preview(message, typical(message))
        return Draft(
            place="campaigns/sweeping.md",
            body_line=8,
            lines={"subject": 2, "preheader": 3, "from": 6},
            message=message,
            html=html,
            text=text,
            **given,
        )

    return made


@pytest.fixture
def reach() -> Callable[..., Reach]:
    def made(**changes: Any) -> Reach:
        given: dict[str, Any] = {
            "place": "campaigns/sweeping.md, line 4",
            "people": 1_000,
            "excluded": {},
            "message_class": "regular",
            "topic": "Street sweeping",
            "locales": {"en": 990, "es": 10},
            "without_evidence": 0,
            "previous": (950, 900),
        }
        return Reach(**{**given, **changes})

    return made
