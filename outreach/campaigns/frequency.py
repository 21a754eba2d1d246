"""How often we may write to one person: the organisation's choice, read from its settings.

[policy]
cap_regular = "4 in 7 days"     of all departments together; "" is no cap
cap_statutory = ""
quiet_days = 1                  between two regular messages; 0 is none
holdout_percent = 0             of a regular campaign's audience, kept without it to see what it changes
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from outreach.errors import ConfigurationError
from outreach.settings import Settings
from outreach.store.caps import Cap

_CAPPED = ("regular", "statutory")


@dataclass(frozen=True, slots=True)
class Frequency:
    """Caps by message class, quiet days, and the share held out, in percent. Without them nobody is kept out."""

    caps: Mapping[str, Cap] = field(default_factory=dict)
    quiet_days: int = 0
    holdout_percent: int = 0

    def cap(self, message_class: str) -> Cap | None:
        return self.caps.get(message_class)


def frequency(settings: Settings) -> Frequency:
    """What the settings say. ConfigurationError for what cannot be meant."""
    caps = {kind: cap for kind in _CAPPED if (cap := _cap(settings, f"policy.cap_{kind}"))}
    quiet, held = settings.number("policy.quiet_days"), settings.number("policy.holdout_percent")
    if not 0 <= quiet <= 365:
        raise ConfigurationError(f"policy.quiet_days is {quiet}; it can be 0 to 365")
    if not 0 <= held <= 50:
        raise ConfigurationError(f"policy.holdout_percent is {held}; it can be 0 to 50")
    return Frequency(caps, quiet, held)


def _cap(settings: Settings, name: str) -> Cap | None:
    text = settings.text(name).strip()
    if not text:
        return None
    cap = Cap.read(text)
    if cap is None:
        raise ConfigurationError(f'{name} is {text!r}; write it like "4 in 7 days", or "" for no cap')
    return cap
