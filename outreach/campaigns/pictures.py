"""The workspace's own images: `![A map](images/map.png)` becomes an address of the tracking host.

An image is published under a name made of its content, so that what was approved is what is shown, an image that is
changed is another one, and every mail program may keep it for ever. Only what lies in `images/` is published.
"""

from __future__ import annotations

import base64
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from outreach.errors import Blocked
from outreach.rendering.errors import did_you_mean
from outreach.rendering.images import TYPES, Image, ImageError, examine
from outreach.settings import Settings

FOLDER: Final = "images"
"""In the workspace what people put there, in data/ what is published."""


@dataclass(slots=True)
class Pictures:
    """The images of one workspace, and those that one campaign was found to use."""

    root: Path
    tracking_url: str
    used: dict[str, tuple[str, Image]] = field(default_factory=dict)
    """By its address: the path it was written as, and what it is."""

    @classmethod
    def of(cls, settings: Settings) -> Pictures:
        return cls(settings.root, settings.tracking_url)

    def address(self, written: str) -> str:
        """Where an image will be. ImageError for what is no image of this workspace."""
        image = examine(self._file(written).read_bytes())
        address = f"{self.tracking_url}/i/{image.name}"
        self.used[address] = written, image
        return address

    def publish(self, data: Path) -> list[str]:
        """Put every image that is used where the tracking service finds it; returns their names."""
        folder = data / FOLDER
        if self.used:
            folder.mkdir(parents=True, exist_ok=True)
        for written, image in self.used.values():
            if not (folder / image.name).is_file():
                _put(folder / image.name, self._same(written, image))
        return sorted({image.name for _, image in self.used.values()})

    def inlined(self, html: str) -> str:
        """HTML that shows its images by itself, for a preview of what is published nowhere yet."""
        for address, (written, image) in self.used.items():
            content = base64.b64encode(self._same(written, image)).decode("ascii")
            html = html.replace(address, f"data:{TYPES[image.name.rpartition('.')[2]]};base64,{content}")
        return html

    def _same(self, written: str, image: Image) -> bytes:
        data = self._file(written).read_bytes()
        if examine(data).name != image.name:
            raise Blocked(f"{written} was changed just now; nothing was done. Try again")
        return data

    def _file(self, written: str) -> Path:
        folder = (self.root / FOLDER).resolve()
        try:
            file = (self.root / written).resolve()
        except (ValueError, OSError):
            file = folder
        if file.is_file() and file.is_relative_to(folder):
            return file
        known = [str(each.relative_to(self.root)) for each in sorted((self.root / FOLDER).glob("**/*.*"))]
        raise ImageError(
            f"is not there{did_you_mean(written, known)}; put the file into {FOLDER}/ and write {FOLDER}/NAME.png,"
            " or the whole address of an image on your site"
        )


def refuse_missing(names: list[str], data: Path) -> None:
    """Blocked if an image of a plan is not published any more: people would see a hole."""
    for name in names:
        if not (data / FOLDER / name).is_file():
            raise Blocked(f"the image data/{FOLDER}/{name} is gone. Nothing was sent; plan again, which publishes it")


def _put(path: Path, data: bytes) -> None:
    """Whole or not at all: the service may read it at any moment."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    Path(name).chmod(0o644)
    Path(name).replace(path)
