"""Leaving: GET asks, POST acts (RFC 8058).

    GET, HEAD /u/<token>                         a page with a button; nothing changes
    POST List-Unsubscribe=One-Click              a mailbox provider's button: leaves the campaign's topic
    POST leave=topic | leave=all                 our page's buttons
    POST undo=1                                  takes the person's last unsubscribe back

A POST needs no cookie, login, referrer or origin: the token is the permission. It is acknowledged
only once it is durable, never redirected, and may be repeated without harm. Anything but an
explicit `undo` or `leave=all` leaves the topic: whoever posts here wants to leave.
"""

from __future__ import annotations

import json
from enum import Enum

from outreach.events import Kind
from tracking.links import LinkTable
from tracking.pages import Button


class Wish(Enum):
    """What a POST to an unsubscribe link asks for."""

    LEAVE_TOPIC = "topic"
    LEAVE_ALL = "all"
    UNDO = "undo"

    @property
    def kind(self) -> Kind:
        return Kind.UNDO if self is Wish.UNDO else Kind.UNSUBSCRIBE


def wish_of(fields: dict[str, str]) -> Wish:
    if is_one_click(fields):
        return Wish.LEAVE_TOPIC
    if fields.get("undo") == "1":
        return Wish.UNDO
    return Wish.LEAVE_ALL if fields.get("leave") == "all" else Wish.LEAVE_TOPIC


def is_one_click(fields: dict[str, str]) -> bool:
    """RFC 8058, 3.1: the body that List-Unsubscribe-Post announces."""
    return fields.get("List-Unsubscribe") == "One-Click"


def detail(wish: Wish, table: LinkTable | None) -> str:
    """What the loader needs beside campaign and subscriber. The topic is the one the page named."""
    if wish is Wish.LEAVE_ALL:
        return json.dumps({"all": True})
    if wish is Wish.LEAVE_TOPIC and table is not None and table.topic_id is not None:
        return json.dumps({"topic": table.topic_id})
    return ""


def again(wish: Wish, label: str) -> Button:
    """The button that repeats a wish we could not take down."""
    return Button(label, "undo", "1") if wish is Wish.UNDO else Button(label, "leave", wish.value)
