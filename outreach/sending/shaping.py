"""Which provider takes an address's mail, and how it likes to be sent to: `shaping.toml`, a table anybody can edit."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from outreach.errors import ConfigurationError

OTHER = "other"
FILE = "shaping.toml"


@dataclass(frozen=True, slots=True)
class Limits:
    """How one provider likes to be sent to."""

    provider: str
    connections: int
    per_second: float
    domains: tuple[str, ...] = ()
    mx: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shaping:
    """The whole table, by provider."""

    limits: Mapping[str, Limits]

    def by_domain(self) -> dict[str, str]:
        """The provider of each domain that the table names."""
        return {domain: each.provider for each in self.limits.values() for domain in each.domains}

    def by_mx(self, hosts: Iterable[str]) -> str:
        """The provider whose servers these are: the longest suffix that fits the first host that fits any."""
        for host in hosts:
            name = host.rstrip(".").lower()
            fitting = [
                (len(suffix), each.provider)
                for each in self.limits.values()
                for suffix in each.mx
                if name == suffix or name.endswith("." + suffix)
            ]
            if fitting:
                return max(fitting)[1]
        return OTHER


def load(root: Path | None = None) -> Shaping:
    """Our table, with the sections of the workspace's own file in place of ours. ConfigurationError names the line."""
    found = _read(Path(__file__).with_name(FILE))
    if root is not None and (root / FILE).is_file():
        found |= _read(root / FILE)
    return Shaping(found)


def _read(path: Path) -> dict[str, Limits]:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        return {name: _limits(name, section) for name, section in document.items()}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"{path} cannot be used: {error}") from None


def _limits(name: str, section: Mapping[str, object]) -> Limits:
    unknown = set(section) - {"connections", "per_second", "domains", "mx"}
    if unknown:
        raise ValueError(f"[{name}] has {', '.join(sorted(unknown))}; there are connections, per_second, domains, mx")
    connections, rate = section.get("connections", 10), section.get("per_second", 100)
    if not isinstance(connections, int) or not isinstance(rate, int | float) or connections < 1 or rate <= 0:
        raise ValueError(f"[{name}] needs connections and per_second above nothing")
    return Limits(name, connections, float(rate), _names(section, "domains"), _names(section, "mx"))


def _names(section: Mapping[str, object], key: str) -> tuple[str, ...]:
    names = section.get(key, [])
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise TypeError(f"{key} must be a list of names")
    return tuple(each.lower() for each in names)
