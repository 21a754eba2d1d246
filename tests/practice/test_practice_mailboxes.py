"""Mailboxes that choose their fate, in a server process of its own."""

from __future__ import annotations

import os
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from outreach.errors import TryAgain
from outreach.practice.mailboxes import MailboxServer, fate, messages

LETTER = b"Message-ID: <1@city.example>\r\nSubject: Sweeping\r\n\r\n.Monday.\r\n"


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[MailboxServer]:
    with MailboxServer(tmp_path_factory.mktemp("mail")) as server:
        yield server


def send(server: MailboxServer, address: str, sender: str = "b-1@city.example") -> str:
    with smtplib.SMTP("127.0.0.1", server.port, timeout=5) as client:
        try:
            client.sendmail(sender, [address], LETTER)
        except smtplib.SMTPRecipientsRefused as refused:
            number, text = refused.recipients[address]
            return f"{number} {text.decode()[:5]}"
        except smtplib.SMTPServerDisconnected:
            return "cut"
    return "accepted"


def kept(server: MailboxServer, address: str) -> list[bytes]:
    return [path.read_bytes() for path in messages(server.folder) if path.stem.endswith(f"-{address}")]


def test_everybody_meets_the_fate_of_their_name(world):
    outcomes = {
        address: (send(world, address), send(world, address), len(kept(world, address)))
        for address in (
            "ada.smith@mail1.example",
            "hard.luck@mail1.example",
            "full.house@mail1.example",
            "greylist.ng@mail1.example",
            "vanish.lee@mail1.example",
            "complain.vang@mail1.example",
            "Hard.Upper@MAIL1.EXAMPLE",
        )
    }
    assert outcomes == {
        "ada.smith@mail1.example": ("accepted", "accepted", 2),
        "hard.luck@mail1.example": ("550 5.1.1", "550 5.1.1", 0),
        "full.house@mail1.example": ("452 4.2.2", "452 4.2.2", 0),
        "greylist.ng@mail1.example": ("451 4.7.1", "accepted", 1),
        "vanish.lee@mail1.example": ("cut", "accepted", 2),
        "complain.vang@mail1.example": ("accepted", "accepted", 2),
        "Hard.Upper@MAIL1.EXAMPLE": ("550 5.1.1", "550 5.1.1", 0),
    }


def test_greylisting_looks_at_the_sender_too(world):
    assert send(world, "greylist.her@mail1.example", sender="b-1@city.example") == "451 4.7.1"
    assert send(world, "greylist.her@mail1.example", sender="b-2@city.example") == "451 4.7.1"
    assert send(world, "greylist.her@mail1.example", sender="b-1@city.example") == "accepted"


def test_the_slow_take_their_time(world):
    begun = time.monotonic()
    assert send(world, "slow.eze@mail1.example") == "accepted"
    assert time.monotonic() - begun >= 0.2


def test_a_message_is_kept_for_each_recipient_with_its_trace(world):
    with smtplib.SMTP("127.0.0.1", world.port) as client:
        client.sendmail("b-7@city.example", ["bo@mail2.example", "cy@mail2.example", "hard@mail2.example"], LETTER)
    assert [kept(world, address) for address in ("bo@mail2.example", "cy@mail2.example", "hard@mail2.example")] == [
        [b"Return-Path: <b-7@city.example>\r\nDelivered-To: bo@mail2.example\r\n" + LETTER],
        [b"Return-Path: <b-7@city.example>\r\nDelivered-To: cy@mail2.example\r\n" + LETTER],
        [],
    ]


def test_no_address_writes_outside_the_folder(world):
    assert send(world, "../../etc/passwd@mail1.example") == "accepted"
    assert len(kept(world, ".._.._etc_passwd@mail1.example")) == 1


def test_a_server_that_was_stopped_goes_on_counting(tmp_path):
    for _ in range(2):
        with MailboxServer(tmp_path) as server:
            assert send(server, "ada@mail1.example") == "accepted"
    assert [path.name for path in messages(tmp_path)] == [
        "00000001-ada@mail1.example.eml",
        "00000002-ada@mail1.example.eml",
    ]


def test_a_taken_port_is_one_clear_sentence(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = MailboxServer(tmp_path, port=taken.getsockname()[1])
        with pytest.raises(TryAgain, match=r"cannot listen on 127\.0\.0\.1 port \d+; stop what is there"):
            server.start()


def test_the_server_does_not_outlive_a_killed_parent(tmp_path):
    story = (
        "import os, pathlib, sys; from outreach.practice.mailboxes import MailboxServer\n"
        "print(MailboxServer(pathlib.Path(sys.argv[1])).start(), flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    parent = subprocess.run(
        [sys.executable, "-c", story, tmp_path],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert parent.returncode == -9
    assert _closed(int(parent.stdout))


def _closed(port: int) -> bool:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return True
        time.sleep(0.05)
    return False


def test_two_thousand_messages_take_a_moment(tmp_path):
    envelope = b"MAIL FROM:<b-1@city.example>\r\nRCPT TO:<ada@mail1.example>\r\nDATA\r\n"
    content = LETTER + b"x" * 70 + b"\r\n" * 400
    with MailboxServer(tmp_path) as server, socket.create_connection(("127.0.0.1", server.port)) as client:
        file = client.makefile("rb")
        file.readline()
        client.sendall(b"EHLO bench\r\n")
        while file.readline()[3:4] == b"-":
            pass
        begun = time.monotonic()
        for _ in range(2_000):
            client.sendall(envelope)
            assert [file.readline()[:3] for _ in range(3)] == [b"250", b"250", b"354"]
            client.sendall(content + b".\r\n")
            assert file.readline()[:3] == b"250"
        took = time.monotonic() - begun
        file.close()
    assert sum(1 for _ in messages(tmp_path)) == 2_000
    # About 0.7 s on an idle machine of two cores; the margin is for a busy one.
    assert took < 10


@pytest.mark.parametrize(("address", "expected"), [("hardy@x.example", "hard"), ("ada@hard.example", ""), ("", "")])
def test_only_the_local_part_chooses(address, expected):
    assert fate(address) == expected


def test_mail_is_whole_when_it_is_seen(world):
    send(world, "dee@mail1.example")
    assert os.listdir(world.folder / "tmp") == []
