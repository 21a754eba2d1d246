"""Faults on the wire: every verb, every code, cuts at every byte, servers that lie, dawdle and babble."""

from __future__ import annotations

import datetime as dt
import random
import ssl
from collections.abc import Iterator
from functools import partial
from unittest import mock

from outreach.sending import throttle
from outreach.testing import Fault, FaultServer, Manner, Proxy
from tests.trust.scene import LANES, PEOPLE, Case, Run, Scene, with_faults

VERBS = ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "DOT", "RSET", "QUIT")
LATER = ("421 4.7.0", "450 4.2.1", "451 4.3.0", "452 4.3.1", "454 4.7.0")
NEVER = (
    "500 5.5.2", "501 5.5.4", "502 5.5.1", "503 5.5.1", "521 5.3.2", "530 5.7.0", "535 5.7.8",
    "541 5.7.1", "550 5.1.1", "551 5.7.1", "552 5.2.2", "553 5.1.3", "554 5.7.1", "556 5.1.10",
)  # fmt: skip
BARE = ("8BITMIME",)
"""What a server without PIPELINING offers."""


def cases(*, full: bool) -> Iterator[Case]:
    """Every case of this module; a spread of them unless `full`."""
    step = 1 if full else 5
    yield from list(_codes())[::step]
    yield from list(_cuts())[:: 1 if full else 2]
    yield from _bytes(full=full)
    yield from _servers()
    yield from _babble()
    yield from _patience()
    yield _thirty_percent


def _codes() -> Iterator[Case]:
    plain = Manner(extensions=BARE)
    for verb in VERBS:
        for code in LATER:
            for at in (1, 3):
                # RSET is only said after a refusal, QUIT once for each lane.
                faults = [Fault(verb, reply=f"{code} try later", at=1 if verb in ("RSET", "QUIT") else at)]
                if verb == "RSET":
                    faults.append(Fault("RCPT", reply="451 4.3.0 once", at=2))
                yield partial(
                    with_faults, "F-25", f"{code} at {verb}, no. {at}", faults, must_fire=verb != "QUIT" and at == 1
                )
    for verb in ("MAIL", "RCPT", "DATA", "DOT"):
        for code in NEVER:
            for manner in (None, plain):
                faults = [Fault(verb, reply=f"{code} no", at=3)]
                yield partial(with_faults, "F-26", f"{code} at {verb}", faults, manner=manner)
    big = [Fault("DOT", reply="552 5.3.4 message too big", at=4)]
    yield partial(with_faults, "F-27", "552 5.3.4 at the dot", big)
    yield partial(with_faults, "F-27", "523 at the dot", [Fault("DOT", reply="523 5.7.10 too big", at=4)])
    yield _too_big
    yield _content_block


def _too_big() -> Run:
    """SIZE is smaller than the message: not even tried, the campaign's fault and nobody else's."""
    run = Run("F-27", "SIZE announced is smaller than the message")
    with Scene() as scene, FaultServer(manner=Manner(max_size=500)) as server:
        scene.send(server.port)
        counts = scene.city.counts()
        wrong = "" if counts == {"waiting": PEOPLE} and not server.heard["DATA"] else f"{counts} {server.heard}"
        return scene.judge(run, server.accepted_ids, wrong)


def _content_block() -> Run:
    """5.7.1 for everything from the 20th message on: at most 20 and the connections are tried."""
    run = Run("F-28", "5.7.1 at the dot for all from message 20 on")
    with Scene(100) as scene, FaultServer([Fault("DOT", reply="550 5.7.1 no", at=20, times=None)]) as server:
        scene.send(server.port)
        counts, tried = scene.city.counts(), server.heard["DOT"] - 19
        wrong = "" if counts == {"accepted": 19, "waiting": 81} and tried <= 20 + LANES else f"{counts}, {tried} tried"
        if scene.city.campaign().status != "paused":
            wrong = "the campaign was not paused"
        return scene.judge(run, server.accepted_ids, wrong)


def _thirty_percent() -> Run:
    """Three replies in ten are 4yz, and connections break before the dot: everybody has it in the end, once."""
    dice = random.Random(7)
    run, people = Run("F-25", "30 % of replies 4yz, mixed with cuts"), 60
    faults = [
        Fault(verb, reply=f"{dice.choice(LATER[1:])} later", at=at)
        for verb in ("MAIL", "RCPT", "DATA", "DOT")
        for at in range(1, 270)
        if dice.random() < 0.3
    ]
    faults += [Fault("RCPT", reply="", cut=True, at=at) for at in range(275, 330, 12)]
    faults += [Fault("MAIL", reply="", cut=True, at=at) for at in range(280, 330, 20)]
    with Scene(people) as scene, FaultServer(faults) as server:
        # A retry waits twice as long as the one before; nobody here has hours.
        wrong = scene.finish(server.port, max_attempts=1_000, retry_first=dt.timedelta(microseconds=100))
        counts = scene.city.counts()
        if counts != {"accepted": people}:
            wrong = str(counts)
        return scene.judge(run, server.accepted_ids, wrong)


def _cuts() -> Iterator[Case]:
    for at in (1, 2, PEOPLE):
        for verb in ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA"):
            cut = [Fault(verb, reply="", cut=True, at=min(at, 2) if verb in ("CONNECT", "EHLO") else at)]
            yield partial(with_faults, "F-29", f"cut at {verb}, no. {at}", cut)
        for keep, fault in ((True, "F-31"), (False, "F-32")):
            cut = [Fault("DOT", reply="", cut=True, keep=keep, at=at)]
            yield partial(with_faults, fault, f"cut after the dot, no. {at}, taken: {keep}", cut, allowed=1)
        cut = [Fault("QUIT", reply="", cut=True, at=1)]
        yield partial(with_faults, "F-33", "cut at QUIT", cut)
    mixed = [
        Fault("DOT", reply="", cut=True, keep=True, at=3),
        Fault("MAIL", reply="", cut=True, at=9),
        Fault("DOT", reply="451 4.3.0 busy", at=6, times=3),
        Fault("RCPT", reply="421 4.3.2 shutting down", cut=True, at=12),
    ]
    yield partial(with_faults, "F-29", "cuts and 4yz mixed", mixed, allowed=1)


def _bytes(*, full: bool) -> Iterator[Case]:
    """The connection ends after so many bytes towards the server: in the greeting, envelope, headers, body, dot."""
    size = 11_000
    for after in [*range(1, 260, 7 if full else 60), *range(260, size, 67 if full else 2_000)]:
        yield partial(_cut_at, after)


def _cut_at(after: int) -> Run:
    # One message can be in doubt: the proxy may cut between the last byte of a message and its reply.
    run = Run("F-30", f"cut after byte {after}", allowed=1)
    with Scene(3) as scene, FaultServer() as server, Proxy(server.port, cut_after=after) as proxy:
        wrong = scene.finish(proxy.port, lanes=1)
        return scene.judge(run, server.accepted_ids, wrong or ("" if proxy.cuts else "never cut"))


def _servers() -> Iterator[Case]:
    yield partial(_unreachable, "F-19", "refused", "smtp://127.0.0.1:1")
    yield partial(_unreachable, "F-20", "the relay's name does not exist", "smtp://relay.invalid:25")
    yield partial(with_faults, "F-19", "reset at once", [Fault("CONNECT", reply="", cut=True)])
    for what, fault in {
        "banner late": Fault("CONNECT", delay=0.2),
        "banner 554": Fault("CONNECT", reply="554 5.7.1 not you"),
        "banner 421": Fault("CONNECT", reply="421 4.3.2 full", cut=True),
        "banner garbage": Fault("CONNECT", reply=b"\x00\xffHTTP/1.1 400 what\r\n"),
        "banner without end": Fault("CONNECT", reply=b"220 " + b"x" * 200_000),
        "banner of 10 MB": Fault("CONNECT", reply=b"x" * 10_000_000, cut=True),
    }.items():
        yield partial(with_faults, "F-21", what, [fault], command_timeout=1.0)
    yield partial(with_faults, "F-22", "EHLO refused, HELO taken", [Fault("EHLO", reply="502 5.5.1 what", times=None)])
    yield partial(with_faults, "F-22", "no PIPELINING", [], manner=Manner(extensions=BARE), must_fire=False)
    yield partial(with_faults, "F-22", "no extensions", [], manner=Manner(extensions=()), must_fire=False)
    lies = [Fault("RCPT", reply=b"250 2.1.5 ok\r\n250 2.1.5 ok again\r\n", times=4)]
    yield partial(with_faults, "F-22", "PIPELINING announced and not mastered", lies)
    yield _no_starttls
    yield _wrong_name
    yield partial(_auth, "535 5.7.8 no", "F-24")
    yield partial(_auth, "454 4.7.0 later", "F-24")
    yield _failover


def _unreachable(fault: str, what: str, url: str) -> Run:
    run = Run(fault, what)
    with Scene() as scene:
        error = scene.send(1, relay_url=url)
        wrong = "" if error is not None and scene.city.counts() == {"waiting": PEOPLE} else "something happened"
        return scene.judge(run, [], wrong)


def _no_starttls() -> Run:
    run = Run("F-23", "STARTTLS required and not offered")
    with Scene() as scene, FaultServer() as server:
        error = scene.send(server.port, require_tls=True)
        return scene.judge(run, server.accepted_ids, "" if error and not server.heard["MAIL"] else "sent in the clear")


def _wrong_name() -> Run:
    import trustme

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("elsewhere.example").configure_cert(context)
    run = Run("F-23", "a certificate for another name")
    with Scene() as scene, FaultServer(manner=Manner(tls=context)) as server:
        error = scene.send(server.port, require_tls=True)
        return scene.judge(run, server.accepted_ids, "" if error and not server.heard["MAIL"] else "trusted a stranger")


def _auth(reply: str, fault: str) -> Run:
    """The relay will not have our password: nobody is touched, the command says so."""
    import trustme

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    run = Run(fault, f"AUTH {reply}")
    manner = Manner(extensions=("PIPELINING", "AUTH PLAIN"), tls=context)
    with Scene() as scene, FaultServer([Fault("AUTH", reply=reply, times=None)], manner=manner) as server:
        error = scene.send(server.port, relay_url=f"smtp://city:secret@127.0.0.1:{server.port}")
        wrong = "" if error and scene.city.counts() == {"waiting": PEOPLE} else "somebody was touched"
        return scene.judge(run, server.accepted_ids, wrong)


def _failover() -> Run:
    """The first relay dies in the middle, the second takes over: nobody through both."""
    run = Run("F-63", "the first relay goes away", allowed=LANES)
    faults = [
        Fault("DOT", reply="", cut=True, keep=True, at=5),
        Fault("MAIL", reply="", cut=True, at=6, times=None),
        Fault("CONNECT", reply="421 4.3.2 down", cut=True, at=3, times=None),
    ]
    with Scene() as scene, FaultServer(faults) as first, FaultServer() as second:
        both = f"smtp://127.0.0.1:{first.port} smtp://127.0.0.1:{second.port}"
        wrong = scene.finish(1, relay_url=both)
        return scene.judge(
            run, [*first.accepted_ids, *second.accepted_ids], wrong if second.accepted else "never took over"
        )


def _babble() -> Iterator[Case]:
    odd = {
        "several lines": b"250-2.0.0 well\r\n250-2.0.0 well\r\n250 2.0.0 taken\r\n",
        "another code on the last line": b"250-2.0.0 well\r\n550 5.1.1 or not\r\n",
        "no enhanced code": b"250 ok\r\n",
        "code alone": b"250\r\n",
        "not ASCII": "250 ganz schön gut\r\n".encode(),
        "NUL": b"250 2.0.0 o\x00k\r\n",
        "bare LF": b"250 2.0.0 ok\n",
        "600 lines": b"250-2.0.0 and\r\n" * 600 + b"250 2.0.0 done\r\n",
    }
    for what, reply in odd.items():
        taken = [Fault("DOT", reply=reply, keep=True, at=3)]
        yield partial(with_faults, "F-35", f"{what} at the dot", taken, allowed=1)
        yield partial(with_faults, "F-35", f"{what} at MAIL", [Fault("MAIL", reply=reply, at=3)], allowed=1)
    hopeless = {"no code": b"hello\r\n", "99": b"99 what\r\n", "line without end": b"250 " + b"x" * 70_000}
    for what, reply in hopeless.items():
        taken = [Fault("DOT", reply=reply, keep=True, at=3)]
        yield partial(with_faults, "F-35", f"{what} at the dot", taken, allowed=1, command_timeout=1.0, dot_timeout=1.0)
    usual = {"MAIL": b"250 2.1.0 ok", "RCPT": b"250 2.1.5 ok", "DATA": b"354 go", "DOT": b"250 2.0.0 ok"}
    for verb, said in usual.items():
        for at in (1, 2, 5):
            stray = [Fault(verb, reply=said + b"\r\n250 2.0.0 nobody asked\r\n", at=at)]
            # Behind a stray reply the server still may have taken what was dotted.
            yield partial(with_faults, "F-36", f"a stray reply behind {verb}, no. {at}", stray, allowed=1)


def _patience() -> Iterator[Case]:
    quick = {"command_timeout": 0.4, "dot_timeout": 0.4}
    for verb in ("CONNECT", "EHLO", "MAIL", "RCPT", "DATA"):
        yield partial(with_faults, "F-34", f"{verb} answered too late", [Fault(verb, delay=1.0, at=1)], **quick)
    yield partial(with_faults, "F-34", "the dot answered too late", [Fault("DOT", delay=1.0, at=3)], allowed=1, **quick)
    yield partial(
        with_faults,
        "F-34",
        "half a reply, then nothing",
        [Fault("DOT", reply=b"250-", keep=True, at=3)],
        allowed=1,
        **quick,
    )
    grey = [Fault("RCPT", reply="450 4.2.0 greylisted", times=PEOPLE)]
    yield partial(
        with_faults, "F-37", "everybody greylisted once", grey, expect=lambda counts: counts == {"accepted": PEOPLE}
    )
    limit = [Fault("MAIL", reply="421 4.7.0 too many on this connection", cut=True, at=at) for at in (3, 7, 11)]
    yield partial(with_faults, "F-38", "421 every few messages", limit)
    yield _told_to_rest


def _told_to_rest() -> Run:
    """A provider that says it had enough is left alone for a while (here: two seconds), then everybody has it."""
    limit = [Fault("RCPT", reply="452 4.5.3 too many", at=at, times=2) for at in (3, 7, 11)]
    with mock.patch.object(throttle, "SHORT_HOLD", dt.timedelta(seconds=2)):
        return with_faults("F-38", "452 4.5.3 now and then", limit)
