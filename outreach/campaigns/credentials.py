"""Whose word counts: each of the staff has a token, and with it signs what they approve.

A token is the seed of an Ed25519 key. The store keeps only the public half, so that whoever can read or change the
database still cannot approve in somebody's name. Until the first user is added, the shell's user is recorded instead.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import Connection

from outreach.errors import ApprovalMissing
from outreach.store import staff
from outreach.store.acting import shell_user
from outreach.store.staff import Member

VARIABLE: Final = "OUTREACH_TOKEN"
PREFIX: Final = "outreach-"


def new_token() -> str:
    """256 bits, shown once to its owner."""
    return PREFIX + secrets.token_urlsafe(32)


def public_key(token: str) -> bytes:
    return _private(token).public_key().public_bytes_raw()


def _private(token: str) -> Ed25519PrivateKey:
    seed = blake2b(token.strip().encode(), digest_size=32, person=b"outreach-staff").digest()
    return Ed25519PrivateKey.from_private_bytes(seed)


def current(connection: Connection, *, environment: Mapping[str, str] | None = None) -> Member | None:
    """Who is at the keyboard, by their token or else by their shell user; None while there are no users.

    ApprovalMissing (exit code 4) when there are users and this is none of them.
    """
    if not staff.count(connection):
        return None
    token = (os.environ if environment is None else environment).get(VARIABLE, "")
    if not token:
        if member := staff.at_shell(connection, shell_user()):
            return member
        raise ApprovalMissing(f"say who you are: set {VARIABLE} to the token you got from `outreach users add`")
    member = staff.holder(connection, public_key(token))
    if member is None:
        raise ApprovalMissing(f"the token in {VARIABLE} belongs to nobody here; ask an administrator for a new one")
    return member


def author(connection: Connection) -> str:
    """Who plans: a user by token if there is one, else the shell's user. Never refuses: planning sends nothing."""
    try:
        member = current(connection)
    except ApprovalMissing:
        member = None
    return member.name if member else f"shell user {shell_user()}"


def signed(token: str, statement: Mapping[str, Any]) -> str:
    """The signature over a statement, as text."""
    return base64.b64encode(_private(token).sign(_bytes(statement))).decode("ascii")


def verifies(key: bytes, statement: Mapping[str, Any], signature: str) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(base64.b64decode(signature), _bytes(statement))
    except (InvalidSignature, ValueError):
        return False
    return True


def _bytes(statement: Mapping[str, Any]) -> bytes:
    return json.dumps(statement, sort_keys=True, separators=(",", ":")).encode()
