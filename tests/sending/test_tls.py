"""The pipelined lane behind STARTTLS, on both event loops."""

import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from benchmarks import _city as cities
from outreach.sending import workers
from outreach.sending.transports import smtp
from outreach.testing import Fault, FaultServer, Manner, oracle


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_everybody_gets_it_through_starttls_and_a_cut_leaves_one_in_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loop: str
) -> None:
    monkeypatch.setattr(smtp, "_is_loopback", lambda host: False)  # elsewhere TLS is used wherever it is offered
    if loop == "asyncio":
        monkeypatch.setattr(workers, "_loop_factory", lambda: None)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("relay.example").configure_cert(context)
    cut = Fault("DOT", reply="", cut=True, keep=True, at=20)
    with FaultServer([cut], manner=Manner(tls=context)) as server:
        city = cities.build(tmp_path, 60, port=server.port, compiled=cities.big_message())
        workers.run(replace(city.orders, relay_url=f"smtp://127.0.0.1:{server.port}"))
        assert server.heard["STARTTLS"] >= 4
        verdict = oracle(server.accepted_ids, city.ledger())
    assert verdict.balanced
    assert city.counts() == {"accepted": 59, "in_doubt": 1}
