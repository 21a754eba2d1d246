"""Complaints over HTTP: only signed, only fresh, only about our own mail, all or nothing."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path

import pytest

from outreach.errors import ConfigurationError
from outreach.events import Kind
from outreach.tokens import Purpose
from tracking.testing import WEBHOOK_SECRET, Reply, Service, token
from tracking.webhooks.feedback import GOOD_FOR_SECONDS, is_signed, load_secret, sign

NOW = 1_795_262_400


def report(*tokens: str, kind: str = "complaint") -> bytes:
    return json.dumps({"events": [{"kind": kind, "token": text} for text in tokens]}).encode()


def post(service: Service, body: bytes, *, signature: str | None = None) -> Reply:
    signed = sign(body, secret=WEBHOOK_SECRET, at=int(time.time())) if signature is None else signature
    return service.request("POST", "/hooks/feedback", body, {"Outreach-Signature": signed})


def complaints(service: Service, subscriber_id: int) -> int:
    count = 0
    for path in (service.root / "spool").glob("*.spool"):
        connection = sqlite3.connect(path)
        query = "SELECT count(*) FROM hit WHERE kind = ? AND subscriber_id = ?"
        count += connection.execute(query, (Kind.COMPLAINT, subscriber_id)).fetchone()[0]
        connection.close()
    return count


def test_a_signed_report_is_recorded_by_any_token_of_the_mail(service: Service) -> None:
    purposes = (Purpose.UNSUBSCRIBE, Purpose.RETURN_PATH, Purpose.MESSAGE_ID)
    reply = post(service, report(*(token(purpose, 50) for purpose in purposes)))
    assert (reply.status, reply.body, complaints(service, 50)) == (200, b"3 recorded\n", 3)


def test_what_is_not_signed_is_not_believed(service: Service) -> None:
    body = report(token(Purpose.UNSUBSCRIBE, 51))
    old = sign(body, secret=WEBHOOK_SECRET, at=int(time.time()) - GOOD_FOR_SECONDS - 5)
    other = sign(report(token(Purpose.UNSUBSCRIBE, 52)), secret=WEBHOOK_SECRET, at=int(time.time()))
    for signature in ("", "t=,v1=", "t=1,v1=00", "v1=00", "t=²,v1=0".encode().decode("latin-1"), old, other):
        assert post(service, body, signature=signature).status == 401
    assert complaints(service, 51) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"{}", b'{"events": []}', b'{"events": [3]}', b"[" * 5000,
        report(token(Purpose.OPEN, 53)), report("x"), report(token(Purpose.UNSUBSCRIBE, 53), kind="bounce"),
        report(token(Purpose.UNSUBSCRIBE, 53), "x"),
    ],
)  # fmt: skip
def test_a_report_we_do_not_understand_is_refused_whole(service: Service, body: bytes) -> None:
    assert post(service, body).status == 400
    assert complaints(service, 53) == 0


def test_a_huge_report_and_a_get_are_refused(service: Service) -> None:
    assert post(service, b"x" * 300_000).status == 413
    reply = service.get("/hooks/feedback")
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    assert service.post("/hooks/elsewhere").status == 404


def test_a_signature_holds_for_its_own_body_secret_and_five_minutes() -> None:
    header = sign(b"body", secret=b"s" * 16, at=NOW)
    assert is_signed(b"body", header, secret=b"s" * 16, now=NOW + GOOD_FOR_SECONDS)
    assert not is_signed(b"body", header, secret=b"s" * 16, now=NOW + GOOD_FOR_SECONDS + 1)
    assert not is_signed(b"body", header, secret=b"t" * 16, now=NOW)
    assert not is_signed(b"Body", header, secret=b"s" * 16, now=NOW)
    assert not is_signed(b"body", header.replace(f"t={NOW}", f"t={NOW + 1}"), secret=b"s" * 16, now=NOW)


def test_a_workspace_without_a_secret_has_no_webhook_and_a_short_one_is_refused(tmp_path: Path) -> None:
    assert load_secret(tmp_path / "webhook") is None
    (tmp_path / "webhook").write_text("ab" * 32 + "\n")
    assert load_secret(tmp_path / "webhook") == b"\xab" * 32
    for text in ("abcd", "not hexadecimal"):
        (tmp_path / "webhook").write_text(text)
        with pytest.raises(ConfigurationError, match="32 hexadecimal"):
            load_secret(tmp_path / "webhook")
