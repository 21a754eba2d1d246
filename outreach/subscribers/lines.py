"""A file as text, whatever its encoding: a block of whole lines at a time, so that memory stays flat.

A line that is not UTF-8 is read as cp1252 (what Windows programs write), line by line, because one file is
often glued together from several; how many lines that were is counted.
"""

from __future__ import annotations

import codecs
import io
import re
import threading
from collections.abc import Iterator
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import Final, TextIO

from outreach.errors import UsageError

BLOCK: Final = 1 << 18
"""Bytes: so few that a processor's cache holds what becomes of them."""
MAX_LINE: Final = 16 << 20
UTF16_BOMS: Final = (b"\xff\xfe", b"\xfe\xff")
UTF8_BOM: Final = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"[\r\n]")


class _Faults(threading.local):
    """Where the lines of a block begin and end that are not UTF-8."""

    lines: list[tuple[int, int]]


def _note(error: UnicodeError) -> tuple[str, int]:
    """Called by the decoder at each fault: note the line, and go on behind it."""
    assert isinstance(error, UnicodeDecodeError)
    block, at = error.object, error.start
    done = _faults.lines[-1][1] if _faults.lines else 0
    start = max(block.rfind(b"\n", done, at), block.rfind(b"\r", done, at), done - 1) + 1
    end = found.start() if (found := _LINE_END.search(block, at)) else len(block)
    _faults.lines.append((start, end))
    return "", end


_faults = _Faults()
_NOTING: Final = "outreach.note_lines"
codecs.register_error(_NOTING, _note)


def lines_of(text: str) -> TextIO:
    """Its lines. newline="": a lone CR ends one too, and the ends are kept for the csv module."""
    return io.StringIO(text, newline="")


class Lines:
    """A file's lines with their ends, decoded; remembers how many were cp1252, and the file's SHA-256."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cp1252_lines = 0
        self.digest = sha256()

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(map(lines_of, self.texts()))

    def texts(self) -> Iterator[str]:
        """Some whole lines at a time."""
        for block in self._blocks():
            block = block.replace(b"\0", b"")  # NULs mean nothing
            try:
                yield block.decode()
            except UnicodeDecodeError:
                yield self._mended(block)

    def _mended(self, block: bytes) -> str:
        """A block in which some lines are not UTF-8: those are read another way, as a whole."""
        _faults.lines = []
        block.decode(errors=_NOTING)
        pieces: list[str] = []
        done = 0
        for start, end in _faults.lines:
            pieces += block[done:start].decode(), self._line(block[start:end])
            done = end
        return "".join((*pieces, block[done:].decode()))

    def _line(self, line: bytes) -> str:
        self.cp1252_lines += 1
        try:
            return line.decode("cp1252")
        except UnicodeDecodeError:
            return line.decode("latin-1")  # five bytes mean nothing in cp1252

    def _blocks(self) -> Iterator[bytes]:
        """About as much at a time, cut where a line ends, as UTF-8 or whatever else it is."""
        with self.path.open("rb") as file:
            start = file.read(3)
            file.seek(0 if start != UTF8_BOM else 3)
            self.digest.update(start if start == UTF8_BOM else b"")
            if start[:2] in UTF16_BOMS:
                yield from self._utf16_blocks()
                return
            rest = b""
            while chunk := file.read(BLOCK):
                self.digest.update(chunk)
                rest += chunk
                cut = rest.rfind(b"\n") + 1 or rest.rfind(b"\r", 0, -1) + 1
                if cut:
                    yield rest[:cut]
                    rest = rest[cut:]
                elif len(rest) > MAX_LINE:
                    raise UsageError(f"{self.path} is no CSV file: it has a line of more than {MAX_LINE >> 20} MB")
            if rest:
                yield rest

    def _utf16_blocks(self) -> Iterator[bytes]:
        try:
            with self.path.open(encoding="utf-16", newline="") as file:
                while lines := file.readlines(BLOCK):
                    block = "".join(lines).encode()
                    self.digest.update(block)
                    yield block
        except UnicodeError:
            raise UsageError(f"{self.path} begins like UTF-16 and is not; save it as CSV in UTF-8") from None
