"""Into a real Postfix on loopback, which throws everything away; its own log is the witness."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import _city as cities
from benchmarks import _postfix as relay
from outreach.campaigns import doubts
from outreach.sending import workers
from tests.conftest import missing

PORT = 25_326


@pytest.fixture
def postfix() -> Iterator[Path]:
    """A Postfix of this test's own; its log."""
    try:
        with relay.postfix(PORT) as log:
            yield log
    except relay.Missing as why:
        missing("postfix", str(why))


@pytest.mark.postfix
def test_postfix_takes_everybodys_message_once_and_its_log_says_so(tmp_path: Path, postfix: Path) -> None:
    city = cities.build(tmp_path, 200, port=PORT)
    workers.run(replace(city.orders, relay_url=f"smtp://127.0.0.1:{PORT}"))
    assert city.counts() == {"accepted": 200}
    deadline = time.monotonic() + 20
    while len(logged := list(doubts._ids_in(postfix))) < 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert sorted(logged) == sorted(city.ledger())
