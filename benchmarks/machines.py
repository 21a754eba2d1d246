"""A simulated day of 260,000 mails: how many scanners are caught, how many people are wronged, how long judging takes.

The published timing first, then days whose timings the rules never saw (tests/tracking/test_tracking_day.py).
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType

from outreach.practice.day import PUBLISHED
from outreach.store import migrations
from outreach.store.database import Store

PEOPLE = 260_000 if "--full" in sys.argv else 26_000


def main() -> None:
    day = _story()
    print(f"{PEOPLE:,} mails{'':<18}{'published':>12}{'blind 1':>12}{'blind 2':>12}")
    scores, seconds = [], []
    for habits, seed in ((PUBLISHED, 1), (day.blind(1), 1), (day.blind(2), 2)):
        with tempfile.TemporaryDirectory(prefix="outreach-bench-") as name:
            store = Store.open(f"sqlite:///{name}/outreach.db")
            migrations.upgrade(store)
            begun = time.perf_counter()
            scores.append(day.live_through(store, Path(name), habits, people=PEOPLE, seed=seed))
            seconds.append(time.perf_counter() - begun)
            store.close()
    rows = {
        "scanners' clicks flagged": [f"{score.scanner_clicks:.2%}" for score in scores],
        "people's hits flagged": [f"{score.people:.3%}" for score in scores],
        "opened, truth": [f"{score.opened:.2%}" for score in scores],
        "opened, report": [f"{score.figures.open_rate.share:.2%}" for score in scores],
        "  of measurable": [f"{score.figures.measurable / score.figures.delivered:.0%}" for score in scores],
        "followed a link, truth": [f"{score.clicked:.2%}" for score in scores],
        "followed a link, report": [f"{score.figures.click_rate.share:.2%}" for score in scores],
        "seconds, all of it": [f"{second:.0f}" for second in seconds],
    }
    for name, cells in rows.items():
        print(f"{name:<26}" + "".join(f"{cell:>12}" for cell in cells))


def _story() -> ModuleType:
    """The test's own functions, so that what is measured is what is proved."""
    path = Path(__file__).parent.parent / "tests" / "tracking" / "test_tracking_day.py"
    spec = importlib.util.spec_from_file_location("tracking_day", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
