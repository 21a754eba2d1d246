"""Open what strangers compressed, and stop in time: gzip and zip, one level, no more bytes than agreed.

A gzip of half a megabyte can hold half a gigabyte. So nothing is decompressed without a cap, an archive may
hold few members, and whatever is inside is not opened again.
"""

from __future__ import annotations

import io
import zipfile
import zlib

from outreach.errors import OutreachError

MAX_IN = 10 * 1024 * 1024
MAX_OUT = 25 * 1024 * 1024
MAX_MEMBERS = 50
MAX_RATIO = 200
"""XML compresses about twenty times; a thousand times is a bomb."""


class Bomb(OutreachError):
    """Compressed data that would grow beyond what any report needs, or that hides something."""


def unpack(raw: bytes) -> list[bytes]:
    """The files in some bytes: those of a zip, the one of a gzip, or the bytes themselves. Raises Bomb."""
    if len(raw) > MAX_IN:
        raise Bomb(f"the report is larger than {MAX_IN // 2**20} MB")
    if raw.startswith(b"\x1f\x8b"):
        return [_inflated(raw)]
    if raw.startswith(b"PK"):
        return _members(raw)
    return [raw]


def _inflated(raw: bytes) -> bytes:
    cap = _cap(len(raw))
    machine = zlib.decompressobj(wbits=31)
    try:
        found = machine.decompress(raw, cap)
    except zlib.error as error:
        raise Bomb(f"the gzip is damaged: {error}") from None
    if machine.unconsumed_tail or len(found) >= cap:
        raise Bomb(f"the gzip would unpack to more than {cap // 1024} KB")
    return found


def _members(raw: bytes) -> list[bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            infos = archive.infolist()
            if len(infos) > MAX_MEMBERS:
                raise Bomb(f"the zip has {len(infos)} files; a report has one")
            left, found = _cap(len(raw)), []
            for info in infos:
                if info.flag_bits & 1:
                    raise Bomb("the zip is encrypted")
                if info.filename.startswith(("/", "\\")) or ".." in info.filename:
                    raise Bomb("the zip holds a file that would land outside its folder")
                with archive.open(info) as file:
                    content = file.read(left + 1)  # what the file says about its size is not believed
                left -= len(content)
                if left < 0:
                    raise Bomb("the zip would unpack to more than any report needs")
                found.append(content)
            return found
    except (zipfile.BadZipFile, NotImplementedError, zlib.error, EOFError, OSError) as error:
        raise Bomb(f"the zip is damaged: {error}") from None


def _cap(size: int) -> int:
    return min(MAX_OUT, max(size * MAX_RATIO, 65536))
