"""The pages staff see, by a link of their own: one plan to decide about, one send to stop. English, like all of theirs.

As the residents' pages: no scripts, readable on a phone, and a GET changes nothing.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from tracking.pages import ENVIRONMENT
from tracking.pages import STYLE as COMMON

_OWN = (Path(__file__).parent / "staff.css").read_text("utf-8")
_STYLE = f"{COMMON}{_OWN}"
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
).encode()
_TEMPLATE = ENVIRONMENT.get_template("staff.html")


@dataclass(frozen=True, slots=True)
class StaffPage:
    """What the template shows; what is empty is left out."""

    title: str
    organisation: str = ""
    alarm: str = ""
    problem: str = ""
    lines: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    lists: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    """A heading, and under it items with the sign before each."""
    text: str = ""
    plan: str = ""
    """The hash of the plan that the buttons are about; without it there are no buttons."""
    does: str = ""
    """What the first button posts: approve or stop."""
    button: str = ""
    asks_code: bool = False
    note: str = ""
    done: bool = False
    status: int = 200

    def html(self) -> str:
        return _TEMPLATE.render(page=self, style=Markup(_STYLE))  # noqa: S704 - our own files
