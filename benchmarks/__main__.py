"""The proof of speed, as ratios: `python -m benchmarks [NAME...] [--full]`.

Each module of this folder is one benchmark with a `main()` that prints a table; the peer or the
physical limit runs beside it, in the same run. `--full` (in sys.argv) asks for longer runs.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path


def main() -> None:
    known = sorted(found.name for found in pkgutil.iter_modules([str(Path(__file__).parent)]) if found.name[0] != "_")
    wanted = [name for name in sys.argv[1:] if not name.startswith("-")] or known
    for name in wanted:
        if name not in known:
            sys.exit(f"there is no benchmark {name!r}; there are {', '.join(known)}")
        print(f"\n== {name}\n", flush=True)
        importlib.import_module(f"benchmarks.{name}").main()


if __name__ == "__main__":
    main()
