"""How a check of the domain ends: in words, with the exact record to publish."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum


class Verdict(StrEnum):
    OK = "ok"
    WARNING = "warning"
    FAIL = "fail"
    UNKNOWN = "unknown"
    """Nobody answered, or there is nothing to ask about."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check: what was found, in words, and what to do about it."""

    name: str
    verdict: Verdict
    says: str
    fix: str = ""
    """What to publish or change, exactly; "" if there is nothing to do."""

    def as_json(self) -> dict[str, str]:
        return {key: str(value) for key, value in asdict(self).items()}


def ok(name: str, says: str) -> Check:
    return Check(name, Verdict.OK, says)


def warning(name: str, says: str, fix: str) -> Check:
    return Check(name, Verdict.WARNING, says, fix)


def fail(name: str, says: str, fix: str) -> Check:
    return Check(name, Verdict.FAIL, says, fix)


def unknown(name: str, says: str, fix: str = "") -> Check:
    return Check(name, Verdict.UNKNOWN, says, fix)
