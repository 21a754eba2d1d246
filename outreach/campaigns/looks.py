"""A department's look: the colours of its mails, from the file in `senders/` that has its address.

# senders/parks.toml
from = "Parks <parks@city.example>"

[look]
accent = "#2e7d32"        # buttons and links
accent_dark = "#9ccc9c"   # the same in dark mode
band = "#1b5e20"          # the bar above
band_dark = "#12401a"
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path

from outreach.errors import ConfigurationError, OutreachError
from outreach.rendering.message import Mailbox

COLOURS = ("accent", "accent_dark", "band", "band_dark")


def look_of(sender: Mailbox, root: Path) -> Mapping[str, str]:
    """The colours for a sender; none if no file names its address. ConfigurationError names a file that is wrong."""
    for path in sorted((root / "senders").glob("*.toml")):
        try:
            document = tomllib.loads(path.read_text("utf-8"))
            address = Mailbox.parse(str(document.get("from", ""))).address
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OutreachError) as error:
            raise ConfigurationError(f'{path} cannot be used: {error}. It needs from = "Name <address>"') from None
        if address.lower() == sender.address.lower():
            return _checked(document.get("look", {}), path)
    return {}


def _checked(look: object, path: Path) -> dict[str, str]:
    if not isinstance(look, dict) or not all(isinstance(value, str) for value in look.values()):
        raise ConfigurationError(f'{path}: [look] holds colours, as in accent = "#2e7d32"')
    if strange := [name for name in look if name not in COLOURS]:
        raise ConfigurationError(f"{path}: [look] has no {strange[0]}; there are {', '.join(COLOURS)}")
    return look
