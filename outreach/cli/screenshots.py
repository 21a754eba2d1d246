"""Pictures of a message, by a Chromium of this machine: phone beside desktop, in light, in dark, and without images."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Final

from outreach.errors import ConfigurationError

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SECONDS: Final = 60.0
PHONE, DESKTOP, HEIGHT = 360, 640, 1_200
_MODES: Final = {
    "light": "preferredColorScheme=1",
    "dark": "preferredColorScheme=0",
    "no-images": "preferredColorScheme=1,imagesEnabled=false",
}
_SHEET: Final = """<!doctype html><title>{name}</title><style>body{{margin:0;display:flex;gap:24px;padding:24px;
background:#8a929a}}iframe{{border:0;height:{height}px;background:#fff}}</style>
<iframe src="{source}" width="{phone}"></iframe><iframe src="{source}" width="{desktop}"></iframe>"""


def screenshots(pages: Sequence[Path]) -> list[Path]:
    """Beside each page a picture for each mode; ConfigurationError when there is no browser to take them."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise ConfigurationError(f"no browser was found to take pictures; install one of {', '.join(BROWSERS[:3])}")
    taken = []
    with tempfile.TemporaryDirectory(prefix="outreach-") as folder:
        for page in pages:
            sheet = Path(folder) / "sheet.html"
            sheet.write_text(
                _SHEET.format(
                    name=escape(page.name), source=escape(page.absolute().as_uri()), height=HEIGHT, phone=PHONE,
                    desktop=DESKTOP,
                ),
                "utf-8",
            )  # fmt: skip
            for mode, settings in _MODES.items():
                picture = page.with_suffix(f".{mode}.png")
                _take(browser, sheet, picture, settings, profile=Path(folder) / "profile")
                taken.append(picture)
    return taken


def _take(browser: str, sheet: Path, picture: Path, settings: str, *, profile: Path) -> None:
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", f"--user-data-dir={profile}",
        f"--blink-settings={settings}", f"--window-size={PHONE + DESKTOP + 72},{HEIGHT + 48}",
        f"--screenshot={picture.absolute()}", sheet.as_uri(),
    ]  # fmt: skip
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)  # noqa: S603 - a browser we looked up
    except (subprocess.SubprocessError, OSError) as error:
        raise ConfigurationError(f"{browser} could not take a picture: {error}") from None
