"""A campaign as a record: the exact words in each language, who got them, and each person's mail made again.

Public records law asks for the exact message, the audience and the decision. The record names people by their number;
only the mail that is made again holds what one person was written.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from outreach.addresses import normalise
from outreach.campaigns.orders import orders_for
from outreach.campaigns.pictures import FOLDER as IMAGES
from outreach.campaigns.samples import typical
from outreach.errors import OutreachError
from outreach.rendering.compose import Composer
from outreach.rendering.message import CompiledMessage, Message
from outreach.rendering.preview import render_preview
from outreach.sending.archive import FOLDER, Made, latest, read
from outreach.sending.signing import Key
from outreach.sending.workers import composer
from outreach.settings import Settings
from outreach.store import campaigns, deliveries, subscribers
from outreach.store.campaigns import Campaign
from outreach.store.database import Store
from outreach.tokens import load_keys


class NotKept(OutreachError):
    """There is no record of this person's message."""


def mail_of(store: Store, settings: Settings, campaign: Campaign, address: str, *, token_keys: Path) -> Message:
    """The very mail somebody was sent, byte for byte. NotKept if none was made, or its words or key are gone."""
    address = normalise(address)
    with store.read() as connection:
        person = subscribers.find(connection, address)
        messages = _messages(connection, campaign)
    if person is None:
        raise NotKept(f"nobody has the address {address}; whoever was erased is in no record any more")
    mine = (each for each in read(_folder(settings, campaign)) if each.recipient.subscriber_id == person.id)
    made = latest(mine)
    if made is None:
        raise NotKept(f"{campaign.name} was never made for {address}; see `outreach report {campaign.name}`")
    if made.language not in messages:
        raise NotKept(f"the words of {campaign.name} are not kept any more (retention.messages_days)")
    again = _composer(messages[made.language], settings, campaign, made, token_keys=token_keys)
    return again.compose(made.recipient, now=made.at)


def write(store: Store, settings: Settings, campaign: Campaign, out: Path) -> list[Path]:
    """The record of a campaign as files: the plan, the approval, the words in each language, images, and who got it."""
    out.mkdir(parents=True, exist_ok=True)
    decision = {"approved_by": campaign.approved_by, "approved_at": str(campaign.approved_at or "")}
    files = {
        "plan.json": _json({**campaign.plan, "hash": campaign.plan_hash}),
        "approval.json": _json({**decision, **(campaign.approval or {})}),
    }
    with store.read() as connection:
        for language, message in _messages(connection, campaign).items():
            subject, html, text = render_preview(message, typical(message))
            files[f"message.{language}.json"] = _json({**message.to_document(), "hash": message.hash})
            files[f"message.{language}.html"] = html
            files[f"message.{language}.txt"] = f"{subject}\n\n{text}"
        rows = list(deliveries.people(connection, campaign.id))
    written = []
    for name, content in files.items():
        (out / name).write_text(content, "utf-8")
        written.append(out / name)
    with (out / "people.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["subscriber", "language", "state", "at", "reason"])
        table.writerows(rows)
    for name in campaign.plan.get("images", []):
        shutil.copyfile(settings.data / IMAGES / name, out / name)
        written.append(out / name)
    return [*written, out / "people.csv"]


def _composer(
    message: CompiledMessage, settings: Settings, campaign: Campaign, made: Made, *, token_keys: Path
) -> Composer:
    """As the worker had it, whatever the settings say today."""
    orders = orders_for(campaign, settings, token_keys=token_keys, patience=dt.timedelta())
    was = made.terms
    orders = replace(
        orders,
        relay_url="",  # whatever takes our mail today, the signature was ours
        tracking_url=was["tracking_url"],
        unsubscribe_mailbox=was["unsubscribe_mailbox"],
        dkim_key=_key(settings, was["selector"]),
        dkim_selector=was["selector"],
        dkim_second_key=orders.dkim_second_key if was["second_selector"] else None,
        dkim_second_selector=was["second_selector"],
    )
    return composer(message, campaign, orders, tokens=load_keys(token_keys, newest=was["key"]))


def _key(settings: Settings, selector: str) -> Key | None:
    """The key that signed under a selector: today's, or the file `outreach dkim new` made for it."""
    if not selector:
        return None
    if selector == settings.text("mail.dkim_selector"):
        return settings.key("mail.dkim_key")
    file = settings.root / "keys" / f"dkim-{selector}.pem"
    if not file.is_file():
        raise NotKept(f"it was signed by the key of {selector}, which is not in keys/ any more")
    return file


def _messages(connection: Connection, campaign: Campaign) -> dict[str, CompiledMessage]:
    found = campaigns.messages(connection, campaign.id)
    return {language: CompiledMessage.from_document(document) for language, document in found.items()}


def _folder(settings: Settings, campaign: Campaign) -> Path:
    return settings.data / FOLDER / str(campaign.id)


def _json(document: Any) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2, sort_keys=True, default=str) + "\n"
