"""Segments as files: `segments/engaged.segment` is the segment `engaged`.

    # People who opened or clicked in the last three months.
    expect between 8000 and 9000
    opened within 90 days or clicked within 90 days

Comment lines at the top say what it is for; an `expect` line is a test beside the rule; the rest is the rule.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from outreach.errors import ConfigurationError
from outreach.segmentation.errors import RuleError

SUFFIX = ".segment"
MAX_BYTES = 100_000

_EXPECT = re.compile(
    r"[ \t]*expect\s+(?:between\s+)?([\d,]+)(?:\s+(?:and|to)\s+([\d,]+))?[ \t]*(?:#.*)?", re.IGNORECASE
)
_EXPECT_LIKE = re.compile(r"[ \t]*expect\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Segment:
    """A named rule. `rule` keeps the line numbers of its file, so that an error points into it."""

    name: str
    rule: str
    description: str = ""
    expected: tuple[int, int] | None = None

    def as_expected(self, count: int) -> bool:
        """Whether a count lies where the segment's own test says; without a test, always."""
        return self.expected is None or self.expected[0] <= count <= self.expected[1]


def load_segments(folder: Path) -> dict[str, Segment]:
    """Every segment of a folder, by name. A folder that is not there has none.

    Raises ConfigurationError for a file that is not text, RuleError for an `expect` line that cannot be read.
    """
    return {file.stem: load_segment(file) for file in sorted(folder.glob(f"*{SUFFIX}"))}


def load_segment(file: Path) -> Segment:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise ConfigurationError(f"{file} is larger than {MAX_BYTES:,} bytes, which no segment is")
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file} cannot be read as text in UTF-8: {error}") from None
    return read_segment(file.stem, text)


def read_segment(name: str, text: str) -> Segment:
    """A segment from the text of its file."""
    lines = text.replace("\r\n", "\n").split("\n")
    expected: tuple[int, int] | None = None
    description: list[str] = []
    begun = False
    for number, line in enumerate(lines):
        if line.lstrip().startswith("#"):
            if not begun:
                description.append(line.strip().lstrip("#").strip())
        elif _EXPECT_LIKE.match(line):
            if expected is not None:
                raise _unreadable(name, text, lines, number, "expect is said twice")
            expected = _expected(name, text, lines, number)
            lines[number] = ""
        elif line.strip():
            begun = True
    return Segment(name, "\n".join(lines).rstrip(), " ".join(filter(None, description)), expected)


def named_or_written(words: str, segments: Mapping[str, Segment]) -> Segment:
    """The segment of this name, whatever its case; else `words` are a rule, and the segment has no name."""
    for name, segment in segments.items():
        if name.casefold() == words.strip().casefold():
            return segment
    return Segment("", words)


def texts(segments: Mapping[str, Segment]) -> dict[str, str]:
    """The rules by name, as `load_catalogue` wants them."""
    return {name: segment.rule for name, segment in segments.items()}


def _expected(name: str, text: str, lines: list[str], number: int) -> tuple[int, int]:
    found = _EXPECT.fullmatch(lines[number])
    if found is None:
        raise _unreadable(name, text, lines, number, "an expectation is written: expect between 8000 and 9000")
    low = int(found[1].replace(",", ""))
    high = int(found[2].replace(",", "")) if found[2] else low
    if low > high:
        raise _unreadable(name, text, lines, number, "the first number of an expectation has to be the smaller one")
    return low, high


def _unreadable(name: str, text: str, lines: list[str], number: int, message: str) -> RuleError:
    start = sum(len(line) + 1 for line in lines[:number])
    original = text.replace("\r\n", "\n")
    return RuleError(message, start=start, end=start + len(lines[number]), text=original, source=f'segment "{name}"')
