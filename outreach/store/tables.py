"""Every table, and why it has the shape it has.

Two databases: `main`, and `events` for what is appended by the million. On SQLite they are two
files, because a busy writer would make the tracking loader wait; on PostgreSQL one database holds both.

* A person is split in two: `subscriber` is read one at a time, `profile` is what rules scan.
* `delivery` is clustered by (campaign, subscriber) and has no other index; a second one makes
  freezing an audience 2.6 times slower. Work in flight is in the small tables `claim` and `retry`.
* Engagement is a maintained roll-up of people's events, never a query over the raw ones.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from outreach.store.dialects import BigId, Document, Instant

TEXT_SLOTS = tuple(f"t{n}" for n in range(1, 17))
NUMBER_SLOTS = tuple(f"n{n}" for n in range(1, 17))
DATE_SLOTS = tuple(f"d{n}" for n in range(1, 9))

_NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
_CHOSE = text("tracking IS NOT NULL")
_OPEN = text("verdict = 0")
_HELD = text("held IS NOT NULL")
_NARROW = text("purpose <> 'mail'")
_AT_ONCE = text("frequency = 0")
main = MetaData(naming_convention=_NAMES)
events = MetaData(naming_convention=_NAMES)

# --- people -----------------------------------------------------------------------------------------------------

subscriber = Table(
    "subscriber",
    main,
    Column("id", BigId, primary_key=True),
    Column("address", String(320), nullable=False, unique=True),  # normalised once, on entry
    Column("attributes", Document, nullable=False),  # every value we know: for templates, export and audit
    Column("created_at", Instant, nullable=False),
)

profile = Table(
    "profile",
    main,
    Column("subscriber_id", BigId, ForeignKey("subscriber.id", ondelete="CASCADE"), primary_key=True),
    Column("status", SmallInteger, nullable=False),  # subscribers.Status
    Column("locale", String(16)),
    Column("timezone", String(40)),
    Column("joined_at", Instant),
    Column("paused_until", Instant),  # of those whose status says so
    Column("tracking", SmallInteger),  # events.Choice; NULL: the organisation's default
    # Engagement over everything, so that the commonest rules need no join.
    Column("received", Integer, nullable=False, server_default="0"),
    Column("opens", Integer, nullable=False, server_default="0"),
    Column("clicks", Integer, nullable=False, server_default="0"),
    Column("unopened", Integer, nullable=False, server_default="0"),  # campaigns received since the last open
    Column("last_sent_at", Instant),
    Column("last_open_at", Instant),
    Column("last_click_at", Instant),
    # Typed slots for the attributes that rules use (field.slot names one): no DDL at run time.
    *(Column(name, Text) for name in TEXT_SLOTS),
    *(Column(name, Float) for name in NUMBER_SLOTS),
    *(Column(name, Instant) for name in DATE_SLOTS),
    # Those who chose are few, and the tracking service wants to know them every second.
    Index("ix_profile_tracking", "tracking", "subscriber_id", sqlite_where=_CHOSE, postgresql_where=_CHOSE),
)

field = Table(
    "field",
    main,
    Column("name", String(60), primary_key=True),
    Column("type", String(10), nullable=False),  # text number date yesno choice
    Column("slot", String(4), unique=True),
    Column("choices", Document),  # the values a choice may have; NULL: any
)

department = Table(
    "department",
    main,
    Column("id", Integer, primary_key=True),
    Column("name", String(120), nullable=False, unique=True),
)

topic = Table(
    "topic",
    main,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("key", String(200), nullable=False, unique=True),  # the name, folded, by which it is found
    Column("department_id", Integer, ForeignKey("department.id")),
    Column("message_class", String(12), nullable=False, server_default="regular"),  # regular statutory emergency
    Column("document", Document),  # names in other languages, consent text
)

subscription = Table(
    "subscription",
    main,
    Column("topic_id", Integer, ForeignKey("topic.id"), primary_key=True),
    Column("subscriber_id", BigId, ForeignKey("subscriber.id", ondelete="CASCADE"), primary_key=True),
    Column("status", SmallInteger, nullable=False),  # subscribers.SubscriptionStatus
    Column("frequency", SmallInteger, nullable=False, server_default="0"),  # 0 at once, 1 daily, 2 weekly
    Column("frequency_at", Instant),  # when somebody asked for that frequency; NULL: nobody has
    Column("changed_at", Instant, nullable=False),
    Index("ix_subscription_person", "subscriber_id", "topic_id"),
    sqlite_with_rowid=False,
)

consent = Table(
    "consent",
    main,
    Column("id", BigId, primary_key=True),
    Column("subscriber_id", BigId, index=True),  # outlives the person: no foreign key
    Column("topic_id", Integer),  # NULL: everything
    Column("purpose", String(40), nullable=False),
    Column("given", Boolean(create_constraint=False), nullable=False),  # False: withdrawn
    Column("source", String(200), nullable=False),
    Column("text_version", String(80)),
    Column("at", Instant, nullable=False),
    Column("evidence", Document),
    # Consent for one purpose only is rare, and looked for at every freeze.
    Index("ix_consent_purpose", "subscriber_id", "topic_id", sqlite_where=_NARROW, postgresql_where=_NARROW),
)

suppression = Table(
    "suppression",
    main,
    Column("address", String(320), primary_key=True),  # or, after erasure, its keyed hash
    Column("subscriber_id", BigId, index=True),
    Column("reason", String(12), nullable=False),  # bounce complaint manual unsubscribe erased
    Column("source", String(200), nullable=False),
    Column("at", Instant, nullable=False),
    Column("detail", Text),
)

# --- campaigns --------------------------------------------------------------------------------------------------

campaign = Table(
    "campaign",
    main,
    Column("id", Integer, primary_key=True),
    Column("name", String(120), nullable=False, unique=True),  # file stem and a running number: parking-3
    Column("file", String(200), nullable=False),
    Column("topic_id", Integer, ForeignKey("topic.id")),
    Column("department_id", Integer, ForeignKey("department.id")),
    Column("message_class", String(16), nullable=False, server_default="regular"),
    Column("status", String(12), nullable=False),  # campaigns.Status
    Column("rule", Text, nullable=False),
    Column("plan", Document, nullable=False),  # everything approved, as shown; its hash is next
    Column("plan_hash", String(64), nullable=False),
    Column("frozen", Integer, nullable=False),
    Column("planned_at", Instant, nullable=False),
    Column("approved_at", Instant),
    Column("approved_by", String(120)),
    Column("approval", Document),  # who signed the plan's hash, when, and the signature
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("not_after", Instant),
    Column("claim_cursor", BigId, nullable=False, server_default="0"),  # everyone up to here was claimed once
    Column("pause_reason", Text),
)

message = Table(
    "message",
    main,
    Column("campaign_id", Integer, ForeignKey("campaign.id", ondelete="CASCADE"), primary_key=True),
    Column("language", String(16), primary_key=True),
    Column("compiled", Document, nullable=False),  # rendering.CompiledMessage, ready for the wire
    Column("hash", String(64), nullable=False),
)

delivery = Table(
    "delivery",
    main,
    Column("campaign_id", Integer, primary_key=True, autoincrement=False),
    Column("subscriber_id", BigId, primary_key=True, autoincrement=False),
    Column("state", SmallInteger, nullable=False),  # deliveries.State
    Column("language", String(16)),
    Column("attempts", SmallInteger, nullable=False, server_default="0"),
    Column("claim_id", Integer),
    Column("at", Instant),  # of the last change of state
    Column("reason", Text),  # the server's reply, or why this person was left out
    sqlite_with_rowid=False,
)

retry = Table(
    "retry",
    main,
    Column("campaign_id", Integer, primary_key=True),
    Column("due_at", Instant, primary_key=True),
    Column("subscriber_id", BigId, primary_key=True),
    sqlite_with_rowid=False,
)

claim = Table(
    "claim",
    main,
    Column("id", Integer, primary_key=True),  # ascending: it is the fence
    Column("campaign_id", Integer, nullable=False),
    Column("worker_id", Integer, nullable=False, index=True),
    Column("lease_until", Instant, nullable=False),
    Column("size", Integer, nullable=False),
    sqlite_autoincrement=True,
)

throttle = Table(  # one bucket for each mailbox provider, shared by all workers
    "throttle",
    main,
    Column("provider", String(60), primary_key=True),
    Column("tokens", Float, nullable=False),
    Column("filled_at", Instant, nullable=False),
    Column("until", Instant),  # nothing is handed over before
    Column("lanes", Integer),  # so many at once, where the provider asked for fewer than our table says
    Column("rate", Float),  # a second
    Column("reply", Text),  # the provider's words; NULL: it asks for nothing
    Column("at", Instant, nullable=False),
)

mail_domain = Table(  # whose servers take a domain's mail, by its MX
    "mail_domain",
    main,
    Column("domain", String(255), primary_key=True),
    Column("provider", String(60), nullable=False),
    Column("at", Instant, nullable=False),
)

strike = Table(  # whose message was being made when a worker died: two strikes, and it is made no more
    "strike",
    main,
    Column("campaign_id", Integer, primary_key=True, autoincrement=False),
    Column("subscriber_id", BigId, primary_key=True, autoincrement=False),
    Column("count", SmallInteger, nullable=False),
    sqlite_with_rowid=False,
)

worker = Table(
    "worker",
    main,
    Column("id", Integer, primary_key=True),
    Column("host", String(120), nullable=False),
    Column("boot", String(64), nullable=False),  # changes when the machine restarts
    Column("pid", Integer, nullable=False),
    Column("started", String(32), nullable=False),  # of the process: a pid is used again
    Column("journal", Text, nullable=False),
    Column("heartbeat_at", Instant, nullable=False),
    sqlite_autoincrement=True,
)

# --- on time ----------------------------------------------------------------------------------------------------

occurrence = Table(  # one moment at which a campaign file was due; its key is why nothing is due twice
    "occurrence",
    main,
    Column("file", String(200), primary_key=True),
    Column("at", Instant, primary_key=True),
    Column("campaign_id", Integer),
    Column("state", String(12), nullable=False),  # schedule.State: claimed started missed refused
    Column("noted_at", Instant, nullable=False),
)

item = Table(  # one thing that happened in a topic: a campaign, or an entry of a feed
    "item",
    main,
    Column("id", Integer, primary_key=True),
    Column("topic_id", Integer, ForeignKey("topic.id"), nullable=False),
    Column("campaign_id", Integer, unique=True),
    Column("source", String(80), unique=True),  # the feed and the entry's own key, hashed
    Column("content", Document, nullable=False),  # {"en": {"title": …, "body": Markdown}}
    Column("published_at", Instant, index=True),  # NULL: its campaign has not started
    sqlite_autoincrement=True,
)

pending = Table(  # who waits for which item: decided when it was planned, gone when a digest has it
    "pending",
    main,
    Column("item_id", Integer, primary_key=True, autoincrement=False),
    Column("subscriber_id", BigId, primary_key=True, autoincrement=False),
    Column("frequency", SmallInteger, nullable=False),  # consent.Frequency
    # Who wants an entry of a feed at once; looked for every minute, and nearly always nobody.
    Index("ix_pending_frequency", "frequency", "item_id", sqlite_where=_AT_ONCE, postgresql_where=_AT_ONCE),
    sqlite_with_rowid=False,
)

digest = Table(  # which items one person's digest carries; the delivery row beside it says what became of it
    "digest",
    main,
    Column("campaign_id", Integer, primary_key=True, autoincrement=False),
    Column("subscriber_id", BigId, primary_key=True, autoincrement=False),
    Column("carries", Document, nullable=False),  # the items' ids
    sqlite_with_rowid=False,
)

feed = Table(
    "feed",
    main,
    Column("url", String(400), primary_key=True),
    Column("etag", String(400)),
    Column("modified", String(80)),
    Column("fetched_at", Instant, nullable=False),
    Column("trouble", Text),
)

# --- operating --------------------------------------------------------------------------------------------------

installation = Table(  # which database this is: a restored or copied one must not send by itself
    "installation",
    main,
    Column("id", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("epoch", String(32), nullable=False),
    Column("generation", BigId, nullable=False),
    Column("held", Text),  # why nothing may be sent
    Column("held_at", Instant),
)

staff = Table(
    "staff",
    main,
    Column("id", Integer, primary_key=True),
    Column("name", String(120), nullable=False),
    Column("key", String(120), nullable=False, unique=True),  # the name, folded
    Column("address", String(320), nullable=False),  # test mails and trial campaigns may go there
    Column("role", String(16), nullable=False),  # author approver administrator
    Column("public_key", LargeBinary(32), nullable=False),  # of the token, which only its owner has
    Column("created_at", Instant, nullable=False),
    Column("left_at", Instant),
)

audit = Table(  # append-only; each row's hash covers the one before
    "audit",
    main,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("who", String(200), nullable=False),
    Column("verb", String(60), nullable=False),
    Column("object", String(200), nullable=False),
    Column("detail", Document, nullable=False),
    Column("hash", String(64), nullable=False),
)

# --- what came back ---------------------------------------------------------------------------------------------

feedback = Table(  # events that bind us: unsubscribe, complaint, bounce, preferences
    "feedback",
    main,
    Column("id", BigId, primary_key=True),
    Column("spool", String(40), nullable=False),
    Column("sequence", BigId, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("campaign_id", Integer, nullable=False, index=True),
    Column("subscriber_id", BigId, nullable=False, index=True),
    Column("agent_class", SmallInteger, nullable=False),
    Column("network_class", SmallInteger, nullable=False),
    Column("prefix_hash", LargeBinary(8)),
    Column("flags", Integer, nullable=False),
    Column("detail", Text),
    Column("held", SmallInteger),  # events.Hold: looks like a scanner's; NULL: nothing odd about it
    UniqueConstraint("spool", "sequence"),
    Index("ix_feedback_held", "held", sqlite_where=_HELD, postgresql_where=_HELD),
)

feedback_position = Table(
    "feedback_position",
    main,
    Column("spool", String(40), primary_key=True),
    Column("sequence", BigId, nullable=False),
)

provider_pause = Table(  # a sending domain rests at a provider that refuses it
    "provider_pause",
    main,
    Column("domain", String(255), primary_key=True),
    Column("provider", String(255), primary_key=True),
    Column("since", Instant, nullable=False),
    Column("until", Instant, nullable=False),
    Column("reason", Text, nullable=False),
    Column("refusals", Integer, nullable=False),
)

returned_mail = Table(  # what came back and no rule could settle: for people to look at
    "returned_mail",
    main,
    Column("id", BigId, primary_key=True),
    Column("key", BigId, nullable=False, unique=True),  # of its content: the same mail again is no other
    Column("at", Instant, nullable=False),
    Column("kind", String(12), nullable=False),
    Column("sender", String(320), nullable=False),
    Column("subject", String(400), nullable=False),
    Column("why", String(400), nullable=False),
    Column("file", Text, nullable=False),
    Column("handled_at", Instant),
)

mailbox_position = Table(  # how far a mailbox was read; another UIDVALIDITY means another mailbox (RFC 9051, 2.3.1.1)
    "mailbox_position",
    main,
    Column("mailbox", String(400), primary_key=True),
    Column("validity", BigId, nullable=False),
    Column("uid", BigId, nullable=False),
)

received_report = Table(  # DMARC aggregates (RFC 9990) and TLS reports (RFC 8460), one row each
    "received_report",
    main,
    Column("id", BigId, primary_key=True),
    Column("kind", String(8), nullable=False),  # dmarc tls
    Column("organisation", String(200), nullable=False),
    Column("report", String(200), nullable=False),
    Column("domain", String(255), nullable=False),
    Column("begins_at", Instant, nullable=False),
    Column("ends_at", Instant, nullable=False),
    Column("at", Instant, nullable=False),
    UniqueConstraint("kind", "organisation", "report"),
)

report_row = Table(  # one source of a DMARC aggregate, or one failure of a TLS report
    "report_row",
    main,
    Column("report_id", BigId, ForeignKey("received_report.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("source", String(200), nullable=False),  # an IP address; for TLS the receiving host
    Column("count", BigId, nullable=False),
    Column("passed", Boolean(create_constraint=False), nullable=False),
    Column("disposition", String(40), nullable=False),
    Column("header_from", String(255), nullable=False),
    Column("detail", Document, nullable=False),
)

seed_placement = Table(  # where a message to a mailbox of our own came to lie
    "seed_placement",
    main,
    Column("campaign_id", Integer, primary_key=True, autoincrement=False),
    Column("address", String(320), primary_key=True),
    Column("minutes", Integer, primary_key=True, autoincrement=False),  # after acceptance: 5, 30 or 120
    Column("provider", String(255), nullable=False),
    Column("placement", String(12), nullable=False),  # inbox tab junk missing
    Column("at", Instant, nullable=False),
)

sunset = Table(  # who has not been heard of for long, and what was done about it last
    "sunset",
    main,
    Column("subscriber_id", BigId, ForeignKey("subscriber.id", ondelete="CASCADE"), primary_key=True),
    Column("step", SmallInteger, nullable=False),  # bounces.sunset.Step: 1 asked, 2 slowed down, 3 paused
    Column("at", Instant, nullable=False),
)

# --- engagement, rolled up --------------------------------------------------------------------------------------

engagement = Table(
    "engagement",
    main,
    Column("scope_kind", SmallInteger, primary_key=True),  # 1 department, 2 topic, 3 campaign (who did something)
    Column("scope_id", Integer, primary_key=True),
    Column("subscriber_id", BigId, primary_key=True),
    Column("received", Integer, nullable=False, server_default="0"),
    Column("opens", Integer, nullable=False, server_default="0"),
    Column("clicks", Integer, nullable=False, server_default="0"),
    Column("unopened", Integer, nullable=False, server_default="0"),
    Column("last_sent_at", Instant),
    Column("last_open_at", Instant),
    Column("last_click_at", Instant),
    sqlite_with_rowid=False,
)

engagement_day = Table(
    "engagement_day",
    main,
    Column("kind", SmallInteger, primary_key=True),  # events.Kind: open or click
    Column("day", Integer, primary_key=True),  # days since 1970 in the organisation's zone
    Column("subscriber_id", BigId, primary_key=True),
    Column("department_id", Integer, primary_key=True),  # 0: none
    Column("topic_id", Integer, primary_key=True),
    Column("count", Integer, nullable=False),
    sqlite_with_rowid=False,
)

segment_count = Table(  # one line a night for each segment: its history
    "segment_count",
    main,
    Column("name", String(120), primary_key=True),
    Column("day", Integer, primary_key=True),  # days since 1970 in the organisation's zone
    Column("people", Integer, nullable=False),
    Column("rule_hash", String(64), nullable=False),  # another hash: the rule was changed
    sqlite_with_rowid=False,
)

checkpoint = Table(  # how far a follower has read: moves in the same transaction as what it wrote
    "checkpoint",
    main,
    Column("name", String(60), primary_key=True),
    Column("position", BigId, nullable=False),
)

# --- the events database ----------------------------------------------------------------------------------------

event = Table(  # opens and clicks, append-only; on PostgreSQL a partition for each month
    "event",
    events,
    Column("spool", String(40), primary_key=True),
    Column("sequence", BigId, primary_key=True, autoincrement=False),
    Column("at", Instant, primary_key=True),  # only because PostgreSQL wants the partition's column in the key
    Column("kind", SmallInteger, nullable=False),
    Column("campaign_id", Integer, nullable=False),
    Column("subscriber_id", BigId, nullable=False),
    Column("link", SmallInteger, nullable=False),
    Column("agent_class", SmallInteger, nullable=False),
    Column("network_class", SmallInteger, nullable=False),
    Column("prefix_hash", LargeBinary(8)),
    Column("flags", Integer, nullable=False),
    Column("verdict", SmallInteger, nullable=False, server_default="0"),  # events.Verdict: 0 not judged yet
    Column("reason", SmallInteger, nullable=False, server_default="0"),  # tracking.rules.Reason: why
    Column("rules", SmallInteger, nullable=False, server_default="0"),  # the version of the rules that said so
    Index("ix_event_campaign", "campaign_id", "kind", "subscriber_id"),
    Index("ix_event_unjudged", "campaign_id", "at", sqlite_where=_OPEN, postgresql_where=_OPEN),
    sqlite_with_rowid=False,
    postgresql_partition_by="RANGE (at)",
)

event_position = Table(
    "event_position",
    events,
    Column("spool", String(40), primary_key=True),
    Column("sequence", BigId, nullable=False),
)

# --- imports ----------------------------------------------------------------------------------------------------

provenance = Table(  # how old each value is, so that the order in which files come in cannot matter
    "provenance",
    main,
    Column("subscriber_id", BigId, ForeignKey("subscriber.id", ondelete="CASCADE"), primary_key=True),
    Column("as_of", Instant, nullable=False),  # the source's own date of every value not named in `dates`
    Column("source", String(40), nullable=False),
    Column("dates", Document),  # {"zip": [milliseconds, "salesforce"]}: values with another date or source
    Column("import_id", Integer),  # which import wrote this last; NULL: the person, or a colleague, has since
)

import_run = Table(
    "import_run",
    main,
    Column("id", Integer, primary_key=True),
    Column("file", String(400), nullable=False),
    Column("source", String(40), nullable=False),  # mailchimp, govdelivery, …; csv when we do not know the system
    Column("hash", String(64), nullable=False),  # of the file as it was read
    Column("at", Instant, nullable=False),
    Column("result", Document, nullable=False),  # the counts, as shown
    # What is needed to take it back: the numbers it gave to new people, and its lines of the consent log.
    Column("first_id", BigId),
    Column("last_id", BigId),
    Column("consent_from", BigId),
    Column("consent_until", BigId),
    Column("undone_at", Instant),
    sqlite_autoincrement=True,
)

import_person = Table(  # people we knew, as they were before an import changed them
    "import_person",
    main,
    Column("import_id", Integer, primary_key=True),
    Column("subscriber_id", BigId, primary_key=True),
    Column("attributes", Document),  # NULL: only the dates changed
    Column("locale", String(16)),
    Column("joined_at", Instant),
    Column("as_of", Instant),  # NULL: there was no note of it
    Column("source", String(40)),
    Column("dates", Document),
    Column("before_id", Integer),  # provenance.import_id
    sqlite_with_rowid=False,
)

import_subscription = Table(  # the same of subscriptions of people we knew; status NULL: there was none
    "import_subscription",
    main,
    Column("import_id", Integer, primary_key=True),
    Column("topic_id", Integer, primary_key=True),
    Column("subscriber_id", BigId, primary_key=True),
    Column("status", SmallInteger),
    Column("frequency", SmallInteger),
    Column("frequency_at", Instant),
    Column("changed_at", Instant),
    sqlite_with_rowid=False,
)

import_suppression = Table(  # the same of suppressions; reason NULL: there was none
    "import_suppression",
    main,
    Column("import_id", Integer, primary_key=True),
    Column("address", String(320), primary_key=True),
    Column("subscriber_id", BigId),
    Column("reason", String(12)),
    Column("source", String(200)),
    Column("at", Instant),
    Column("detail", Text),
    sqlite_with_rowid=False,
)

# --- what people ask of us by themselves ------------------------------------------------------------------------

confirmation = Table(  # mail that asks the holder of an address whether it was really they who asked
    "confirmation",
    main,
    Column("id", Integer, primary_key=True),
    Column("kind", String(8), nullable=False),  # signup, address (a new one), held (what we hold)
    Column("subscriber_id", BigId, nullable=False, index=True),
    Column("address", String(320), nullable=False),  # where the mail goes
    Column("domain", String(255), nullable=False),
    Column("network", LargeBinary(8)),  # keyed hash of where the wish came from
    Column("topics", Document),  # {topic id: frequency}
    Column("locale", String(16)),
    Column("text_version", String(80)),
    Column("at", Instant, nullable=False, index=True),
    Column("sent_at", Instant),
    Column("confirmed_at", Instant),
    sqlite_autoincrement=True,
)
