"""What is wrong with a rule, said to the person who wrote it.

no field is called "contry"; did you mean "country"? (line 1, column 1)
  contry = "NO" and opened within 30 days
  ^^^^^^
"""

from __future__ import annotations

from outreach.errors import OutreachError

SHOWN = 100
"""Characters of a long line that are shown around the place."""


class RuleError(OutreachError):
    """A rule cannot be read, or names something that is not there; nothing was chosen.

    `start` and `end` are offsets into `text`; `line` and `column` count from 1. `source` names the segment
    the text belongs to, if it is not the one the person typed.
    """

    def __init__(
        self, message: str, *, start: int = 0, end: int = 0, text: str | None = None, source: str = ""
    ) -> None:
        self.message, self.start, self.end, self.text, self.source = message, start, max(end, start + 1), text, source
        super().__init__(self._sentence())

    @property
    def line(self) -> int:
        return (self.text or "").count("\n", 0, self.start) + 1

    @property
    def column(self) -> int:
        return self.start - ((self.text or "").rfind("\n", 0, self.start) + 1) + 1

    def within(self, text: str, *, source: str = "") -> RuleError:
        """The same error, able to show its place; one that already can stays as it is."""
        if self.text is not None:
            return self
        return RuleError(self.message, start=self.start, end=self.end, text=text, source=source)

    def _sentence(self) -> str:
        if self.text is None:
            return self.message
        where = f"line {self.line}, column {self.column}"
        if self.source:
            where = f"{self.source}, {where}"
        row = self.text.split("\n")[self.line - 1]
        first = max(0, self.column - 1 - SHOWN // 2) if len(row) > SHOWN else 0
        shown = row[first : first + SHOWN]
        offset = self.column - 1 - first
        width = max(1, min(self.end - self.start, len(shown) - offset))
        shown = "".join(character if character.isprintable() else " " for character in shown)
        return f"{self.message} ({where})\n  {shown.rstrip()}\n  {' ' * offset}{'^' * width}"
