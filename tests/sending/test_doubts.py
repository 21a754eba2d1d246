"""Settling doubts by what came back and by the relay's log; telling how a campaign stands."""

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert, update

from outreach.campaigns import doubts
from outreach.cli import standing
from outreach.errors import UsageError
from outreach.store import tables
from outreach.store.deliveries import State
from outreach.store.throttles import Slowed

NOON = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)


@pytest.fixture
def doubtful(world, tmp_path):
    """Six people, five of them in doubt; and the key file that makes their Message-IDs."""
    city = world(6)
    with city.store.write() as connection:
        mine = tables.delivery.c.subscriber_id
        connection.execute(update(tables.delivery).where(mine <= 5).values(state=State.IN_DOUBT.value))
        connection.execute(update(tables.campaign).values(plan={"domain": "city.example", "in_doubt": "hold"}))
        connection.execute(update(tables.delivery).where(mine == 6).values(state=State.ACCEPTED.value))
    keys = tmp_path / "tokens"
    keys.write_text(f"1 {(b'k' * 32).hex()}\n")
    return city, keys


def campaign_of(city):
    from outreach.store import campaigns

    with city.store.read() as connection:
        return campaigns.get(connection, city.campaign.id)


def test_whoever_complained_since_has_it(doubtful) -> None:
    city, _ = doubtful
    with city.store.write() as connection:
        connection.execute(
            insert(tables.feedback).values(
                spool="s", sequence=1, kind=4, at=NOON, campaign_id=city.campaign.id, subscriber_id=2, agent_class=0,
                network_class=0, flags=0,
            )
        )  # fmt: skip
    assert doubts.by_evidence(city.store, campaign_of(city), now=NOON) == 1
    assert city.counts() == {"accepted": 2, "in_doubt": 4}


def test_the_relays_log_settles_who_is_in_it(doubtful, tmp_path) -> None:
    city, keys = doubtful
    log = tmp_path / "mail.log"
    log.write_text(
        "Nov 21 12:00:01 relay postfix/cleanup[7]: 4B0C: message-id=<other@elsewhere.example>\n"
        f"Nov 21 12:00:01 relay postfix/cleanup[7]: 4B0D: message-id={city.message_id(1)}\n"
        f"2026-11-21 12:00:02 1abc-2 <= b@city.example H=x P=esmtp S=9 id={city.message_id(3).strip('<>')}\n"
    )
    settled = doubts.by_log(city.store, campaign_of(city), log, complete=False, token_keys=keys, now=NOON)
    assert (settled.accepted, settled.again) == (2, 0)
    assert sorted(settled.left) == sorted(city.message_id(person) for person in (2, 4, 5))
    assert city.counts() == {"accepted": 3, "in_doubt": 3}


def test_a_log_that_covers_everything_sends_the_others_again(doubtful, tmp_path) -> None:
    city, keys = doubtful
    (tmp_path / "mail.log").write_text(f"postfix/cleanup[7]: 4B0D: message-id={city.message_id(1)}\n")
    settled = doubts.by_log(
        city.store, campaign_of(city), tmp_path / "mail.log", complete=True, token_keys=keys, now=NOON
    )
    assert (settled.accepted, settled.again, settled.left) == (1, 4, [])
    assert city.counts() == {"accepted": 2, "waiting": 4}


def test_a_log_that_is_not_there_settles_nothing(doubtful, tmp_path) -> None:
    city, keys = doubtful
    with pytest.raises(UsageError, match="cannot be read"):
        doubts.by_log(city.store, campaign_of(city), tmp_path / "no.log", complete=True, token_keys=keys, now=NOON)
    assert city.counts() == {"accepted": 1, "in_doubt": 5}


def test_providers_are_told_in_words() -> None:
    zone = ZoneInfo("America/Los_Angeles")
    held = Slowed("microsoft", NOON.replace(hour=22, minute=35), 1, None, "421", NOON)
    assert standing.provider_words(held, now=NOON, zone=zone) == (
        "Microsoft asked us to slow down; nothing is lost; next try 14:35"
    )
    slower = Slowed("google", None, None, 50.0, "421", NOON)
    assert standing.provider_words(slower, now=NOON, zone=zone).endswith("going on with 50 messages a second")
    one = Slowed("google", None, 1, None, "421", NOON)
    assert standing.provider_words(one, now=NOON, zone=zone).endswith("going on with 1 at a time")
    rested = Slowed("relay", NOON - dt.timedelta(seconds=1), None, None, "429", NOON)
    assert standing.provider_words(rested, now=NOON, zone=zone) == (
        "The relay asked us to slow down; nothing is lost; going on at its usual pace"
    )


def test_speed_and_time_left_in_words() -> None:
    assert standing.speed_words([(0.0, 0), (10.0, 30_000)], left=230_000) == "3,000 a second, about 77 s to go"
    assert standing.speed_words([(0.0, 5), (10.0, 5)], left=0) == "done"
