"""The file of rows that were not imported: row number, column, value, reason. Safe in a spreadsheet."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Final, TextIO

from outreach.errors import UsageError
from outreach.subscribers.defusing import defused

HEADER: Final = ("row", "column", "value", "reason")
MAX_VALUE: Final = 500
MAX_REASONS: Final = 200


class Rejects:
    """Written while the import reads; `close` keeps the file under its name, or removes it."""

    def __init__(self, path: Path) -> None:
        self.path = _free(path)
        self.count = 0
        self.reasons: Counter[str] = Counter()
        self._part = self.path.with_name(self.path.name + ".part")
        self._file: TextIO | None = None

    def add(self, row: int, *, column: str, value: str, reason: str) -> None:
        if self._file is None:
            self._file = self._open()
        cells = (str(row), defused(column), defused(value[:MAX_VALUE]), defused(reason))
        csv.writer(self._file).writerow(cells)
        self.count += 1
        self.reasons[reason if len(self.reasons) < MAX_REASONS else "another reason"] += 1

    def _open(self) -> TextIO:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # The mark at the beginning makes spreadsheets read UTF-8.
            file = self._part.open("w", encoding="utf-8-sig", newline="")
        except OSError as error:
            raise UsageError(f"the rejected rows cannot be written to {self._part}: {error.strerror}") from None
        csv.writer(file).writerow(HEADER)
        return file

    def close(self, *, keep: bool) -> Path | None:
        """The complete file; None if nothing was rejected, or if the import failed (`keep` False)."""
        if self._file is None:
            return None
        self._file.close()
        self._file = None
        if keep:
            return self._part.replace(self.path)
        self._part.unlink(missing_ok=True)
        return None


def _free(path: Path) -> Path:
    """The path, or with a number if it is taken: two files of one name may come within a second."""
    number = 1
    found = path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return found
