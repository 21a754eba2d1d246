"""The text part of a message that is written by hand (`templates/NAME/message.txt`): its links and slots.

Web addresses stand as they are and are rewritten like those of the other part, with the same numbers. A line that
holds only `{% if … %}` or `{% endif %}` leaves no empty line behind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from outreach.rendering.links import Links
from outreach.rendering.placeholders import VARIABLE, Placeholders

BARE_URL = re.compile(r"\b(https?://[^\s<>\"']*[^\s<>\"'.,;:!?)\]])")
"""A web address as people write it: the sentence's own stop is no part of it."""
_ALONE = re.compile(r"^[ \t]*(Zs\d{5}sZ)[ \t]*\n", re.MULTILINE)


def filled(source: str, slots: Mapping[str, str], *, placeholders: Placeholders, links: Links, place: str) -> str:
    """The text, its addresses rewritten and its slots filled, still protected. `slots` are protected, too."""
    protected = placeholders.protect(source.strip("\n") + "\n", place=place)

    def rewritten(found: re.Match[str]) -> str:
        line = protected.count("\n", 0, found.start()) + 1
        return links.rewrite(found[0], place=place, line=line)

    def slot(found: re.Match[str]) -> str:
        return slots.get(placeholders.name_in(found[0]) or "", found[0])

    return VARIABLE.sub(slot, _ALONE.sub(r"\1", BARE_URL.sub(rewritten, protected)))
