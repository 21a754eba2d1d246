"""Into a real Postfix on loopback, in the clear and with STARTTLS: what a city's own relay takes, from us and peers.

Postfix writes each message to its queue and syncs it before it says 250, which is what bounds everybody here.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

from benchmarks import _city as cities
from benchmarks import sending
from benchmarks._postfix import Missing, postfix
from outreach.sending import supervisor

PORT = sending._free_port()


def main() -> None:
    full = "--full" in sys.argv
    people, peer, rounds = (6_000, 600, 3) if full else (1_000, 200, 1)
    supervisor._context = lambda: get_context("fork")
    with tempfile.TemporaryDirectory(prefix="outreach-bench-") as folder:
        place = Path(folder)
        place.chmod(0o755)
        (place / "dkim.pem").write_bytes(cities.key())
        certificate = _certificate(place)
        for tls in (False, True) if certificate else (False,):
            racers: dict[str, tuple[int, Callable[[int], float]]] = {
                "Outreach, signed, 2 workers": (
                    people,
                    lambda count, tls=tls: sending._ours(place, count, signed=True, port=PORT, tls=tls),
                ),
                "nodemailer, pool, DKIM, 2 processes": (
                    peer,
                    lambda count, tls=tls: sending._nodemailer(place, count, port=PORT, tls=tls),
                ),
                "aiosmtplib, email.message, dkimpy, 2 processes": (
                    peer // 4,
                    lambda count, tls=tls: sending._aiosmtplib(place, count, port=PORT, tls=tls),
                ),
            }
            if not tls:
                racers["smtp-source -d -s 10 (unsigned)"] = people, lambda count: sending._smtp_source(count, port=PORT)
            try:
                with postfix(PORT, certificate=certificate if tls else None):
                    _race("with STARTTLS" if tls else "in the clear", racers, rounds)
            except Missing as why:
                sys.exit(f"this benchmark needs a Postfix of its own: {why}")


def _race(how: str, racers: dict[str, tuple[int, Callable[[int], float]]], rounds: int) -> None:
    found: dict[str, list[float]] = {name: [] for name in racers}
    for _ in range(rounds):
        for name, (count, race) in racers.items():
            found[name].append(race(count))
    print(f"| into Postfix, {how} | messages/s |\n|---|---|")
    for name, rates in found.items():
        print(f"| {name} | {statistics.median(rates):,.0f} |")
    print(flush=True)


def _certificate(place: Path) -> Path | None:
    """Postfix's key and chain for `localhost`, whose authority everybody here trusts; None without trustme."""
    try:
        import trustme
    except ImportError:
        return None
    authority, file = trustme.CA(), place / "postfix.pem"
    authority.cert_pem.write_to_path(str(place / "authority.pem"))
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(file))
    os.environ["SSL_CERT_FILE"] = os.environ["NODE_EXTRA_CA_CERTS"] = str(place / "authority.pem")
    return file
