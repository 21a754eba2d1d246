"""What the service has done since it began, for /metrics in Prometheus's text format.

Counts only: no label ever names a campaign, a token or a client.
"""

from __future__ import annotations

from collections import Counter

from outreach.events import Kind
from tracking.spool import Spool

_HELP = {
    "recorded": "Events made durable before they were answered.",
    "lost": "Opens and clicks answered without having been recorded.",
    "unrecorded": "Opens and clicks answered and not recorded, as the person chose.",
    "refused": "Binding events answered with 503 because they could not be made durable.",
    "unknown": "Requests with a token or link that is not ours.",
    "failed": "Requests that ended in an error of ours.",
}


class Counters:
    """Counts by name and kind."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, Kind | None]] = Counter()

    def add(self, name: str, kind: Kind | None = None) -> None:
        self.counts[name, kind] += 1

    def prometheus(self, spool: Spool) -> str:
        """The text that a Prometheus server reads (exposition format 0.0.4)."""
        lines: list[str] = []
        for name, text in _HELP.items():
            lines += [f"# HELP outreach_tracking_{name}_total {text}", f"# TYPE outreach_tracking_{name}_total counter"]
            found = {kind: count for (counted, kind), count in self.counts.items() if counted == name}
            for kind, count in (found or {None: 0}).items():
                label = f'{{kind="{kind.name.lower()}"}}' if kind else ""
                lines.append(f"outreach_tracking_{name}_total{label} {count}")
        for name, text, value in (
            ("backlog", "Events that wait for the disk.", spool.backlog),
            ("disk_level", "0 all is recorded, 1 no opens, 2 only binding events: disk space is short.", spool.level),
            ("write_failures", "Writes to the spool that failed.", spool.failures),
            ("healthy", "1 while the spool takes events.", int(spool.healthy)),
        ):
            lines += [
                f"# HELP outreach_tracking_{name} {text}",
                f"# TYPE outreach_tracking_{name} gauge",
                f"outreach_tracking_{name} {int(value)}",
            ]
        return "\n".join(lines) + "\n"
