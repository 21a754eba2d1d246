"""A local mail server whose mailboxes choose their own fate by the beginning of their local part.

    hard…       550 5.1.1 at RCPT: there is no such mailbox
    full…       452 4.2.2 at RCPT, for ever
    greylist…   451 4.7.1 the first time this sender tries this recipient, then accepted (RFC 6647)
    slow…       accepted, but the answer takes 200 ms
    vanish…     taken, but the connection is cut before the reply, once: the classic doubt (RFC 1047)
    complain…   accepted; its resident presses "spam" afterwards
    anybody else is accepted

Accepted messages are kept in a Maildir of .eml files: whole once they are in `new/`, moved to
`cur/` when their resident has read them. They are not fsync'ed: this is practice.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from outreach.errors import TryAgain
from outreach.practice.answers import Answer, Envelope, Receiver, reply
from outreach.practice.smtpd import SmtpServer

FATES = ("hard", "full", "greylist", "slow", "vanish", "complain")
SLOW_SECONDS = 0.2
START_SECONDS = 20.0
_UNSAFE = re.compile(r"[^\w.+@-]")


def fate(address: str) -> str:
    """Which of FATES this address has chosen, or an empty string."""
    local = address.partition("@")[0].lower()
    return next((name for name in FATES if local.startswith(name)), "")


class Mailboxes(Receiver):
    """Decides by fate, and gives `keep` one copy of each message for each recipient."""

    def __init__(self, keep: Callable[[str, Envelope], None]) -> None:
        self._keep = keep
        self._greylisted: set[tuple[str, str]] = set()
        self._vanished: set[tuple[str, str]] = set()

    def recipient(self, sender: str, address: str) -> Answer | None:
        match fate(address):
            case "hard":
                return reply("550 5.1.1 no such mailbox here")
            case "full":
                return reply("452 4.2.2 this mailbox is full")
            case "greylist" if (sender, address) not in self._greylisted:
                self._greylisted.add((sender, address))
                return reply("451 4.7.1 greylisted, try again later")
        return None

    def message(self, envelope: Envelope) -> Answer | None:
        for address in envelope.recipients:
            self._keep(address, envelope)
        fates = {fate(address): (envelope.sender, address) for address in envelope.recipients}
        if (pair := fates.get("vanish")) and pair not in self._vanished:
            self._vanished.add(pair)
            return Answer(b"", cut=True)
        return Answer(delay=SLOW_SECONDS) if "slow" in fates else None


class Maildir:
    """Writes messages as NUMBER-ADDRESS.eml, with the trace headers of final delivery (RFC 5321 4.4)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("tmp", "new", "cur"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._count = max((int(path.name[:8]) for path in messages(folder)), default=0)

    def keep(self, address: str, envelope: Envelope) -> None:
        self._count += 1
        name = f"{self._count:08}-{_UNSAFE.sub('_', address)[:120]}.eml"
        trace = f"Return-Path: <{envelope.sender}>\r\nDelivered-To: {address}\r\n"
        unfinished = self.folder / "tmp" / name
        unfinished.write_bytes(trace.encode() + envelope.content)
        os.rename(unfinished, self.folder / "new" / name)


def messages(folder: Path) -> Iterator[Path]:
    """Every message that a server kept in this folder, read or not."""
    for name in ("cur", "new"):
        yield from sorted((folder / name).glob("*.eml"))


@dataclass(slots=True)
class MailboxServer:
    """The server in a process of its own, which ends with `stop` or with the process that started it."""

    folder: Path
    port: int = 0
    """0: the system chooses one."""
    host: str = "127.0.0.1"
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> int:
        """Start it and return its port once it answers. TryAgain if it cannot listen."""
        command = [sys.executable, "-m", __spec__.name, str(self.folder.absolute()), "--host", self.host]
        # Its own session, so that Ctrl-C reaches the sender first; it ends when its standard input does.
        self._process = subprocess.Popen(  # noqa: S603  (our own interpreter and module)
            [*command, "--port", str(self.port)],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.strip().isdigit():
            self.stop()
            place = f"{self.host} port {self.port}"
            raise TryAgain(f"the practice mail server cannot listen on {place}; stop what is there, or use port 0")
        self.port = int(line)
        return self.port

    def stop(self) -> None:
        """End it; what was accepted stays in the folder."""
        process, self._process = self._process, None
        if process is None:
            return
        for stream in (process.stdin, process.stdout):
            if stream:
                stream.close()
        try:
            process.wait(timeout=START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> MailboxServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


async def serve(folder: Path, *, host: str, port: int) -> None:
    """Serve until standard input ends; says the port on standard output first."""
    server = SmtpServer(Mailboxes(Maildir(folder).keep))
    try:
        print(await server.listen(host, port), flush=True)
    except OSError:
        print("cannot listen", flush=True)  # the parent process says it in a sentence
        return
    await asyncio.to_thread(sys.stdin.buffer.read)
    await server.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="The practice mail server.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    with asyncio.Runner(loop_factory=_fast_loop) as runner:
        runner.run(serve(arguments.folder, host=arguments.host, port=arguments.port))


def _fast_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:  # Windows has none
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


if __name__ == "__main__":
    main()
