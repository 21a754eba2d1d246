"""What strangers may send us: bounded time and memory, a clear refusal, nothing lost and nobody blamed."""

from __future__ import annotations

import gzip
import io
import resource
import time
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outreach.bounces import mime
from outreach.bounces.reading import Kind, read, read_file
from outreach.bounces.unpacking import Bomb, unpack
from outreach.bounces.worker import Reader


def nested(depth: int) -> bytes:
    lines = ["From: x@y.example", "Content-Type: multipart/mixed; boundary=b0", ""]
    for level in range(depth):
        lines += [f"--b{level}", f"Content-Type: multipart/mixed; boundary=b{level + 1}", ""]
    return "\n".join([*lines, "550 user unknown"]).encode()


MANY = b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 100_000 + b"--b--\n"
HOSTILE = {
    "1,000 multiparts inside each other": nested(1000),
    "10,000 multiparts inside each other": nested(10_000),
    "100,000 parts": MANY,
    "a header of 5 MB": b"Subject: " + b"x" * 5_000_000 + b"\n\n550 5.1.1 user unknown",
    "8,000 encoded words": b"Subject: " + b"=?utf-8?q?a?= " * 8000 + b"\n\nx",
    "1,000 comments in To": b"To: " + b"(" * 1000 + b"\n\nx",
    "a From of 100,000 characters": b"From: " + b"a" * 100_000 + b"@b.example\n\nx",
    "a boundary that never ends": b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\n" + b"x\n" * 500_000,
    "500 messages inside each other": b"Content-Type: message/rfc822\n\n" * 500 + b"x",
    "100,000 addresses": b"From: mailer-daemon@x.example\n\n" + b"<a@b.example>: unknown\n" * 100_000,
    "one line of a megabyte": b"From: mailer-daemon@x.example\n\n<a@b.example>: " + b"x" * 1_000_000,
    "at signs": b"From: mailer-daemon@x.example\n\n" + b"a@" * 100_000,
    "colons": b"From: mailer-daemon@x.example\n\n" + b"to:" * 100_000,
    "spaces": b"From: mailer-daemon@x.example\n\nrecipient " + b" " * 200_000 + b"x",
    "angle brackets": b"From: mailer-daemon@x.example\nContent-Type: text/html\n\n" + b"<" * 200_000,
    "uuencode": b"From: mailer-daemon@x.example\n\nbegin 644 x\n" + b"M" * 600_000,
    "a strange charset": b"Content-Type: text/plain; charset=zip\n\n550 user unknown",
    "dashes": b"From: mailer-daemon@x.example\n\n" + b"-" * 200_000,
    "quotes": b"Content-Type: multipart/mixed; boundary=" + b'"' * 50_000 + b"\n\nx",
    "group fields": b"Content-Type: message/delivery-status\n\n"
    + b"Final-Recipient: rfc822;a@b.c\nAction: failed\n\n" * 50_000,
    "nothing": b"",
    "zeros": b"\0" * 1_000_000,
}


@pytest.mark.parametrize("raw", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_mail_takes_bounded_time(raw: bytes) -> None:
    begin = time.process_time()
    reading = read_file(raw)
    assert time.process_time() - begin < 1.0
    assert not any(each.hard for each in reading.recipients) or reading.kind is Kind.BOUNCE


def test_memory_is_bounded() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for raw in HOSTILE.values():
        read(raw)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 * 1024


@pytest.mark.parametrize("name", ["1,000 multiparts inside each other", "100,000 parts"])
def test_what_was_not_read_whole_is_kept_and_judges_nobody(name: str) -> None:
    reading = read(HOSTILE[name])
    assert (reading.kind, reading.recipients) == (Kind.UNREADABLE, ())
    assert "more than" in reading.why


@given(st.binary(max_size=2000))
def test_reading_never_raises(raw: bytes) -> None:
    read_file(raw)


@given(
    st.lists(
        st.sampled_from(
            [
                b"--b",
                b"--b--",
                b"Content-Type: multipart/report; boundary=b",
                b"",
                b"550 5.1.1 no",
                b"<ada@example.com>:",
                b"Final-Recipient: rfc822; a@b.c",
                b"Action: failed",
                b"\xff\xfe",
                b"From: mailer-daemon@x",
                b"Content-Transfer-Encoding: base64",
                b"Feedback-Type: abuse",
            ]
        ),
        max_size=40,
    )
)
def test_reading_never_raises_on_near_mail(lines: list[bytes]) -> None:
    read_file(b"\n".join(lines))


def test_the_worker_survives_what_kills_a_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    with Reader() as reader:
        assert reader.read(b"Subject: hello\n\nhello").kind is Kind.OTHER
        too_big = reader.read(b"x" * (mime.MAX_BYTES + 1))
        assert (too_big.kind, "larger than" in too_big.why) == (Kind.UNREADABLE, True)
    with Reader(seconds=0.0) as hasty:
        assert "took more than 0 seconds" in hasty.read(MANY).why
        hasty._seconds = 5.0
        assert hasty.read(b"Subject: hello\n\nhello").kind is Kind.OTHER


def zipped(*files: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return buffer.getvalue()


BOMBS = {
    "a gzip a thousand to one": gzip.compress(b"\0" * 200_000_000, 1),
    "a zip a thousand to one": zipped(("report.xml", b"\0" * 100_000_000)),
    "70,000 members": zipped(*((f"{n}.xml", b"") for n in range(2000))),
    "a path out of the folder": zipped(("../../etc/cron.d/x", b"x")),
    "a damaged gzip": b"\x1f\x8b" + b"x" * 100,
    "a damaged zip": b"PK\x03\x04" + b"x" * 100,
    "more than 10 MB": b"x" * (10 * 1024 * 1024 + 1),
}


@pytest.mark.parametrize("raw", BOMBS.values(), ids=BOMBS.keys())
def test_bombs_are_refused_in_bounded_memory(raw: bytes) -> None:
    before, begin = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(Bomb):
        unpack(raw)
    assert time.process_time() - begin < 1.0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024


def test_an_ordinary_archive_opens() -> None:
    assert unpack(zipped(("report.xml", b"<feedback/>"))) == [b"<feedback/>"]
    assert unpack(gzip.compress(b"<feedback/>")) == [b"<feedback/>"]
    assert unpack(b"<feedback/>") == [b"<feedback/>"]
