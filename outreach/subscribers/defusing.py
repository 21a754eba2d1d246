"""Keeping spreadsheets from running what residents typed.

A cell that a spreadsheet would take for a formula (`=HYPERLINK(…)`, `@SUM`, `+1`) gets an apostrophe in
front, as OWASP advises, in every CSV that leaves here; an import takes it off again.
"""

from __future__ import annotations

import re
from typing import Final

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")
_TELEPHONE = re.compile(r"\+\d[\d ()/.-]*")
_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)?")


def defused(cell: str) -> str:
    """The cell as a spreadsheet will show it, never run it. Telephone numbers and numbers stay as they are."""
    # A space, a quotation mark or a semicolon before the sign does not stop every spreadsheet.
    if not cell.startswith(_FORMULA) and not cell.lstrip(" \"';").startswith(_FORMULA):
        return cell
    if _TELEPHONE.fullmatch(cell) or _NUMBER.fullmatch(cell):
        return cell
    return f"'{cell}"


def undefused(cell: str) -> str:
    """What `defused` made of it, taken back; anything else that begins with an apostrophe stays as it is."""
    return cell[1:] if cell[:1] == "'" and defused(cell[1:]) == cell else cell
