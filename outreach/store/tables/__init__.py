"""Every table, and why it has the shape it has.

Two databases: `main`, and `events` for what is appended by the million. On SQLite they are two
files, because a busy writer would make the tracking loader wait; on PostgreSQL one database holds both.

* A person is split in two: `subscriber` is read one at a time, `profile` is what rules scan.
* `delivery` is clustered by (campaign, subscriber) and has no other index; a second one makes
  freezing an audience 2.6 times slower. Work in flight is in the small tables `claim` and `retry`.
* Engagement is a maintained roll-up of people's events, never a query over the raw ones.
"""

from outreach.store.tables.base import events, main
from outreach.store.tables.campaigns import (
    campaign,
    claim,
    delivery,
    mail_domain,
    message,
    retry,
    strike,
    throttle,
    turn,
    warmup,
    worker,
)
from outreach.store.tables.engagement import checkpoint, engagement, engagement_day, segment_count
from outreach.store.tables.imports import import_person, import_run, import_subscription, import_suppression, provenance
from outreach.store.tables.operating import audit, installation, owner, staff, staff_link, staff_role
from outreach.store.tables.people import (
    DATE_SLOTS,
    NUMBER_SLOTS,
    TEXT_SLOTS,
    consent,
    department,
    field,
    listed,
    movement,
    profile,
    subscriber,
    subscription,
    suppression,
    topic,
)
from outreach.store.tables.raw_events import event, event_position
from outreach.store.tables.requests import confirmation
from outreach.store.tables.returned import (
    feedback,
    feedback_position,
    mailbox_position,
    provider_pause,
    received_report,
    report_row,
    returned_mail,
    seed_placement,
    sunset,
)
from outreach.store.tables.schedule import digest, feed, item, occurrence, pending

__all__ = [
    "DATE_SLOTS",
    "NUMBER_SLOTS",
    "TEXT_SLOTS",
    "audit",
    "campaign",
    "checkpoint",
    "claim",
    "confirmation",
    "consent",
    "delivery",
    "department",
    "digest",
    "engagement",
    "engagement_day",
    "event",
    "event_position",
    "events",
    "feed",
    "feedback",
    "feedback_position",
    "field",
    "import_person",
    "import_run",
    "import_subscription",
    "import_suppression",
    "installation",
    "item",
    "listed",
    "mail_domain",
    "mailbox_position",
    "main",
    "message",
    "movement",
    "occurrence",
    "owner",
    "pending",
    "profile",
    "provenance",
    "provider_pause",
    "received_report",
    "report_row",
    "retry",
    "returned_mail",
    "seed_placement",
    "segment_count",
    "staff",
    "staff_link",
    "staff_role",
    "strike",
    "subscriber",
    "subscription",
    "sunset",
    "suppression",
    "throttle",
    "topic",
    "turn",
    "warmup",
    "worker",
]
