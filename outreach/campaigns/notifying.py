"""One message to one person: a receipt, a case's new state, a reminder. On the same ledger as any campaign.

A notification is a campaign of one, named for its key. The key is unique in the store, so the same call made twice,
by a retry or by two machines at once, sends one message and tells the second caller how the first one ended.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError

from outreach.addresses import normalise
from outreach.campaigns.compiling import compile_all
from outreach.campaigns.definition import CampaignError, Definition, load
from outreach.campaigns.pictures import Pictures
from outreach.campaigns.terms import plan_hash, terms
from outreach.campaigns.trial import refuse_trial
from outreach.errors import Blocked, OutreachError, UsageError
from outreach.rendering.message import CompiledMessage
from outreach.segmentation.catalogue import load_catalogue
from outreach.settings import Settings
from outreach.store import campaigns, deliveries, subscribers, tables, topics
from outreach.store.campaigns import Campaign, Status
from outreach.store.database import Store
from outreach.store.subscribers import Subscriber
from outreach.store.topics import Topic

TRANSACTIONAL = "transactional"
"""Goes to people without a subscription, because they asked for exactly this message; suppressions still hold."""
GOOD_FOR = dt.timedelta(hours=24)
"""A notification that could not be handed over for so long is not sent any more."""
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,99}")


class UnknownPerson(OutreachError):
    """Nobody of that address is known, so nothing can be sent to them."""


def prepare(
    store: Store,
    settings: Settings,
    path: Path,
    address: str,
    *,
    key: str,
    values: Mapping[str, str],
    now: dt.datetime,
    message_class: str = TRANSACTIONAL,
) -> Campaign:
    """The notification of this key: a new one, approved and ready to be sent, or the one that was made before.

    `path` is a campaign file (its `to:` is not looked at); `values` are words for this message only. Raises UsageError
    for a key that cannot be one, UnknownPerson, CampaignError; and Blocked if the key was used for somebody else.
    """
    if _KEY.fullmatch(key) is None:
        raise UsageError(f"{key!r} cannot be a key; use up to 100 letters, digits and . _ : -")
    recipient = normalise(address)
    with store.read() as connection:
        person = subscribers.find(connection, recipient)
        fields = load_catalogue(connection, segments={}).fields
        known = _known(connection, key)
    if person is None:
        raise UnknownPerson(f"nobody has the address {recipient}; nothing was sent. Import or add the person first")
    if known is not None:
        return _same(store, known, person.id, key=key)
    definitions = load(path, default_language=settings.text("organisation.language"))
    main = next(iter(definitions.values()))
    language = person.locale if person.locale in definitions else main.language
    pictures = Pictures.of(settings)
    messages = compile_all(
        {language: definitions[language]}, settings, known_fields=[*fields, *values], pictures=pictures
    )
    pictures.publish(settings.data)
    try:
        with store.write() as connection:
            topic = topics.find(connection, main.topic)
            if topic is None:
                raise CampaignError(f"{path}: no topic is called {main.topic!r}")
            document = terms(main, messages, settings, name=_name(key), topic=topic, now=now)
            document |= {"message_class": message_class, "audience": 1, "values": dict(values)}
            campaign = _begin(connection, document, main, topic, messages, person, now=now)
            refuse_trial(connection, settings, campaign, now=now)
            return campaign
    except IntegrityError:  # somebody was faster with this key
        with store.read() as connection:
            known = _known(connection, key)
        assert known is not None
        return _same(store, known, person.id, key=key)


def _begin(
    connection: Connection,
    document: Mapping[str, Any],
    main: Definition,
    topic: Topic,
    messages: Mapping[str, CompiledMessage],
    person: Subscriber,
    *,
    now: dt.datetime,
) -> Campaign:
    """The campaign of one, frozen and under way. IntegrityError if its name is taken."""
    campaign_id = campaigns.add(
        connection,
        name=document["campaign"],
        file=main.name,
        topic_id=topic.id,
        department_id=topic.department_id,
        message_class=document["message_class"],
        rule="",  # the ledger knows whom; an address here would outlive their erasure
        plan=document,
        plan_hash=plan_hash(document),
        frozen=1,
        planned_at=now,
        not_after=now + GOOD_FOR,
    )
    for language, message in messages.items():
        campaigns.add_message(connection, campaign_id, language, compiled=message.to_document(), hash=message.hash)
    audience = select(tables.profile.c.subscriber_id).where(tables.profile.c.subscriber_id == person.id)
    deliveries.freeze(connection, campaign_id, audience, languages={}, default_language=next(iter(messages)), now=now)
    campaigns.set_status(
        connection,
        campaign_id,
        Status.SENDING,  # so that cron goes on with it, should we be killed
        only_from=(Status.PLANNED,),
        approved_at=now,
        started_at=now,
        approved_by="notify",
    )
    return campaigns.get(connection, campaign_id)


def _name(key: str) -> str:
    return f"notify-{key}"


def _known(connection: Connection, key: str) -> int | None:
    """The number of the campaign that was made for this key."""
    return connection.execute(select(tables.campaign.c.id).where(tables.campaign.c.name == _name(key))).scalar()


def _same(store: Store, campaign_id: int, person_id: int, *, key: str) -> Campaign:
    with store.read() as connection:
        delivery = tables.delivery.c
        mine = connection.execute(
            select(delivery.state).where(delivery.campaign_id == campaign_id, delivery.subscriber_id == person_id)
        ).first()
        if mine is None:
            raise Blocked(f"the key {key!r} was used for a message to somebody else; nothing was sent")
        return campaigns.get(connection, campaign_id)
