"""The images of mails, under names made of their content: `/i/<hash>.png` never changes, so everybody may keep it.

No token and no person is in such an address: nothing is recorded, and every reader's copy is the same.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from pathlib import Path
from typing import Final

from tracking import answers
from tracking.answers import Answer

FOLDER: Final = "images"
KEPT: Final = 24
"""Images in memory, ours; each has at most 2 MB."""
_NAME = re.compile(r"[0-9a-f]{32}\.(png|jpg|gif)").fullmatch
_TYPES: Final = {"png": b"image/png", "jpg": b"image/jpeg", "gif": b"image/gif"}


class Images:
    """What lies in a folder, by name; the latest ones are kept in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: OrderedDict[str, Answer] = OrderedDict()

    async def get(self, name: str) -> Answer | None:
        """None for what is no name of an image, and for what is not there."""
        found = _NAME(name)
        if found is None:
            return None
        if name not in self._kept:
            try:
                data = await asyncio.to_thread((self._folder / name).read_bytes)
            except OSError:
                return None
            self._kept[name] = answers.kept(data, media_type=_TYPES[found[1]])
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(name)
        return self._kept[name]
