"""How many real bounces are read rightly, and how long one takes: `python -m benchmarks bounces`.

Two parts of the labelled sets, by hash of the file's name: those the rules were made with, and a third that was kept
back until its scores stood on record (docs/deliverability.md has them: before anybody had read it, and before it was
read for good). By now both have taught, and neither is blind: believe sets that nobody here has seen.
"""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

from outreach.bounces.reading import read_file

CORPORA = Path(__file__).parent.parent.parent / "shared" / "corpora"


def unread(name: str) -> bool:
    """True for the third that was kept back until its scores stood on record."""
    return int(hashlib.sha256(name.encode()).hexdigest(), 16) % 3 == 0


def main() -> None:
    if not CORPORA.is_dir():
        print("the labelled mails (../shared/corpora) are not here")
        return
    print(f"{'set':38} {'mails':>6} {'hard/soft':>10} {'reason':>8} {'recipients':>11} {'CPU':>8}")
    parts = (("read from the start", False), ("kept back until scored", True), ("together", None))
    for part, kept_back in parts:
        _sisimai(f"sisimai, {part}", kept_back)
    for part, kept_back in parts:
        _flufl(f"flufl.bounce, {part}", kept_back)


def _rows(folder: str, kept_back: bool | None) -> list[tuple[dict[str, object], bytes]]:
    lines = (CORPORA / folder / "labels.jsonl").read_text().splitlines()
    rows = [row for row in map(json.loads, lines) if kept_back is None or unread(row["file"]) == kept_back]
    return [(row, (CORPORA / folder / "emails" / row["file"]).read_bytes()) for row in rows]


def _sisimai(name: str, kept_back: bool | None) -> None:
    rows = _rows("sisimai", kept_back)
    read_file(rows[0][1])
    begin = time.process_time()
    readings = [read_file(raw).recipients for _, raw in rows]
    each = (time.process_time() - begin) / len(rows) * 1000
    total = hard = reason = counted = 0
    for (row, _), found in zip(rows, readings, strict=True):
        expected = row["expected"]
        assert isinstance(expected, list)
        counted += len(found) == len(expected)
        for index, label in enumerate(expected):
            total += 1
            if index < len(found):
                hard += found[index].hard == label["hard"]
                reason += found[index].reason.value == label["reason"]
    shares = f"{hard / total:>10.1%} {reason / total:>8.1%} {counted / len(rows):>11.1%}"
    print(f"{name:38} {len(rows):>6} {shares} {each:>5.2f} ms")


def _flufl(name: str, kept_back: bool | None) -> None:
    rows = _rows("flufl.bounce", kept_back)
    right = 0
    for row, raw in rows:
        found = read_file(raw).recipients
        told = [{each.address.lower() for each in found if each.action == action} for action in ("failed", "delayed")]
        right += told == [{str(each).lower() for each in row[key]} for key in ("permanent", "temporary")]  # type: ignore[attr-defined]
    print(f"{name:38} {len(rows):>6} {'':>10} {'':>8} {right:>7} of {len(rows)}")
