"""What a check found: how bad it is, where it stands, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """BLOCK stops the campaign; WARN is for whoever approves it; NOTE is worth knowing."""

    BLOCK = "block"
    WARN = "warn"
    NOTE = "note"


_ORDER = {severity: number for number, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to mend or to know. `place` is a file and its line, `fix` what to do in one sentence."""

    check: str
    severity: Severity
    place: str
    problem: str
    fix: str

    @property
    def blocks(self) -> bool:
        return self.severity is Severity.BLOCK


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Each once, the worst first, and else as they were found."""
    return sorted(dict.fromkeys(findings), key=lambda finding: _ORDER[finding.severity])
