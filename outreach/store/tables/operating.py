"""Which installation this is, who may do what, and what they did."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, LargeBinary, String, Table, Text

from outreach.store.dialects import BigId, Document, Instant
from outreach.store.tables.base import main

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
    Column("public_key", LargeBinary(32), nullable=False),  # of the token, which only its owner has
    Column("shell_user", String(64), unique=True),  # who is logged in by that name is this person
    Column("created_at", Instant, nullable=False),
    Column("left_at", Instant),
    Column("verified_at", Instant),  # mail to the address was answered; NULL: it may be a stranger's
    Column("code_hash", LargeBinary(32)),  # of the code that was mailed there
    Column("code_at", Instant),
    Column("code_tries", Integer, nullable=False, server_default="0"),
)

staff_role = Table(
    "staff_role",
    main,
    Column("staff_id", Integer, ForeignKey("staff.id"), primary_key=True),
    Column("department_id", Integer, primary_key=True),  # 0: in the whole house
    Column("role", String(16), nullable=False),  # of permissions.ROLES
)

staff_link = Table(  # each link of its own that was mailed to one of the staff
    "staff_link",
    main,
    Column("id", Integer, primary_key=True),
    Column("kind", String(8), nullable=False),  # approve stop
    Column("campaign_id", Integer, ForeignKey("campaign.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("plan_hash", String(64), nullable=False),
    Column("staff_id", Integer, ForeignKey("staff.id"), nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("public_key", LargeBinary(32), nullable=False),  # of the link: what is approved with it is signed with it
    Column("code_hash", LargeBinary(32)),  # of the code that was mailed apart; NULL: none is asked for
    Column("wrong_codes", Integer, nullable=False, server_default="0"),
    Column("revoked_at", Instant),
)

owner = Table(  # whose campaign it is now, where that is not who planned it
    "owner",
    main,
    Column("campaign_id", Integer, ForeignKey("campaign.id", ondelete="CASCADE"), primary_key=True),
    Column("staff_id", Integer, ForeignKey("staff.id"), nullable=False),
    Column("since", Instant, nullable=False),
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
