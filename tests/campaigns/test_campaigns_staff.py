"""A test mail reaches the person it is meant for: an address counts once a code came back from it."""

from __future__ import annotations

import re

import pytest

from outreach.campaigns import verifying
from outreach.errors import Blocked, TryAgain
from outreach.store import staff
from outreach.store.database import Store
from outreach.store.staff_links import MAX_CODES
from outreach.testing import FaultServer


def test_a_code_that_came_back_verifies_an_address(city):
    city.user("Dana Lee")
    assert city.json("users", "list")[0]["verified"] is False
    assert "(not verified)" in city.run("users", "list").stdout
    mail = city.verify("Dana Lee")
    assert "Is this address yours?" in mail
    assert city.json("users", "list")[0]["verified"] is True


def test_a_code_may_be_typed_with_its_gap(city):
    for name, parts in (("Dana Lee", 1), ("Kim Poe", 2)):
        city.user(name, role="administrator", by=city.user_tokens.get("Dana Lee", ""))
        with FaultServer() as server:
            city.run("users", "verify", name, OUTREACH_RELAY_URL=f"smtp://127.0.0.1:{server.port}")
            (envelope,) = server.accepted
        code = re.search(r"\b(\d{4}) (\d{4})\b", envelope.content.decode())
        assert code is not None
        given = [code[0]] if parts == 1 else [code[1], code[2]]
        assert "is verified" in city.run("users", "verify", name, *given).stdout


def test_the_first_one_is_told_that_their_role_was_not_used(city):
    answer = city.run("users", "add", "Dana Lee", "--address", "dana@city.example", "--role", "author").stdout
    assert "The first one is always an administrator of the whole house; --role author was not used." in answer
    token = next(word for word in answer.split() if word.startswith("outreach-"))
    added = city.run("users", "add", "Kim Poe", "--address", "kim@city.example", "--role", "author", token=token).stdout
    assert "always an administrator" not in added


@pytest.mark.parametrize("code", ["00000000", "", "' or 1=1", "1234"])
def test_a_guessed_code_verifies_nothing(code, city):
    city.user("Dana Lee")
    with FaultServer() as server:
        city.run("users", "verify", "Dana Lee", OUTREACH_RELAY_URL=f"smtp://127.0.0.1:{server.port}")
    refused = city.run("users", "verify", "Dana Lee", code or "-", code=6).stderr
    assert "that is not the code that was mailed to dana@city.example last" in refused
    assert city.json("users", "list")[0]["verified"] is False


def test_a_stranger_is_not_mailed_codes_one_after_the_other(city):
    city.user("Dana Lee")
    with FaultServer() as server:
        relay = f"smtp://127.0.0.1:{server.port}"
        city.run("users", "verify", "Dana Lee", OUTREACH_RELAY_URL=relay)
        city.run("users", "verify", "Dana Lee", code=TryAgain.exit_code, OUTREACH_RELAY_URL=relay)
        assert len(server.accepted) == 1


def test_a_code_that_did_not_leave_is_not_waited_for(city):
    city.user("Dana Lee")
    with FaultServer() as server:
        nowhere = f"smtp://127.0.0.1:{server.port}"
    city.run("users", "verify", "Dana Lee", code=TryAgain.exit_code, OUTREACH_RELAY_URL=nowhere)
    city.verify("Dana Lee")


def test_a_code_works_once_and_for_a_day(store: Store, now):
    with store.write() as connection:
        dana = staff.add(
            connection, "Dana Lee", address="dana@city.example", role="administrator", public_key=bytes(32), now=now
        )
        assert staff.mail_code(connection, dana, b"a" * 32, now=now)
        assert not staff.verify(connection, dana, b"b" * 32, now=now)
        assert not staff.verify(connection, dana, b"a" * 32, now=now + staff.CODE_FOR)
        assert staff.verify(connection, dana, b"a" * 32, now=now)
        assert not staff.verify(connection, dana, b"a" * 32, now=now)
        assert staff.everyone(connection)[0].verified_at == now


def test_only_the_latest_code_counts(store: Store, now):
    with store.write() as connection:
        dana = staff.add(
            connection, "Dana Lee", address="dana@city.example", role="administrator", public_key=bytes(32), now=now
        )
        assert staff.mail_code(connection, dana, b"a" * 32, now=now)
        later = now + staff.CODE_EVERY
        assert staff.mail_code(connection, dana, b"b" * 32, now=later)
        assert not staff.verify(connection, dana, b"a" * 32, now=later)
        assert staff.verify(connection, dana, b"b" * 32, now=later)


def test_ten_wrong_codes_are_enough_until_another_is_mailed(store: Store, now):
    """Counted and kept, though each of them is refused."""
    with store.write() as connection:
        dana = staff.add(
            connection, "Dana Lee", address="dana@city.example", role="administrator", public_key=bytes(32), now=now
        )
        assert staff.mail_code(connection, dana, verifying._hash(dana, "12345678"), now=now)
    for guess in range(MAX_CODES):
        with pytest.raises(Blocked, match="or 10 were tried"):
            verifying.verify(store, dana, f"{guess:08}", now=now)
    with pytest.raises(Blocked):
        verifying.verify(store, dana, "1234 5678", now=now)
    with store.write() as connection:
        assert staff.mail_code(connection, dana, verifying._hash(dana, "12345678"), now=now + staff.CODE_EVERY)
    verifying.verify(store, dana, "1234 5678", now=now + staff.CODE_EVERY)
    with store.read() as connection:
        assert staff.everyone(connection)[0].verified_at == now + staff.CODE_EVERY
