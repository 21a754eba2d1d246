"""Pictures of a message, by a Chromium of this machine: phone beside desktop, in light, in dark, and without images."""

from __future__ import annotations

import re
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
PHONE, DESKTOP, TALLEST = 360, 640, 8_000
"""Pixels; a picture is as tall as the message on a phone, and no taller than a browser can draw at once."""
_MODES: Final = {
    "light": "preferredColorScheme=1",
    "dark": "preferredColorScheme=0",
    "no-images": "preferredColorScheme=1,imagesEnabled=false",
}
_SHEET: Final = """<!doctype html><title>{name}</title><style>body{{margin:0;display:flex;align-items:start;gap:24px;
padding:24px;background:#8a929a}}iframe{{border:0;background:#fff}}</style>
<body onload="document.body.dataset.tall = Math.max(...Array.from(document.querySelectorAll('iframe'),
each => each.height = each.contentDocument.documentElement.scrollHeight))">
<iframe srcdoc="{mail}" width="{phone}"></iframe><iframe srcdoc="{mail}" width="{desktop}"></iframe>"""
_TALL: Final = re.compile(rb'data-tall="(\d+)"')


def screenshots(pages: Sequence[Path]) -> list[Path]:
    """Beside each page a picture for each mode; ConfigurationError when there is no browser to take them."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        raise ConfigurationError(f"no browser was found to take pictures; install one of {', '.join(BROWSERS[:3])}")
    taken = []
    with tempfile.TemporaryDirectory(prefix="outreach-") as folder:
        profile, sheet = Path(folder) / "profile", Path(folder) / "sheet.html"
        for page in pages:
            mail = escape(page.read_text("utf-8"))
            sheet.write_text(_SHEET.format(name=escape(page.name), mail=mail, phone=PHONE, desktop=DESKTOP), "utf-8")
            drawn = _TALL.search(_browse(browser, profile, "--dump-dom", sheet.as_uri()))
            height = min(int(drawn[1]), TALLEST) if drawn else TALLEST
            for mode, settings in _MODES.items():
                picture = page.with_suffix(f".{mode}.png")
                size = f"--window-size={PHONE + DESKTOP + 72},{height + 48}"
                shot = f"--screenshot={picture.absolute()}"
                _browse(browser, profile, f"--blink-settings={settings}", size, shot, sheet.as_uri())
                taken.append(picture)
    return taken


def _browse(browser: str, profile: Path, *options: str) -> bytes:
    """What the browser prints."""
    command = [
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", f"--user-data-dir={profile}", *options,
    ]  # fmt: skip
    try:
        return subprocess.run(command, check=True, capture_output=True, timeout=SECONDS).stdout  # noqa: S603 - a browser we looked up
    except (subprocess.SubprocessError, OSError) as error:
        raise ConfigurationError(f"{browser} could not take a picture: {error}") from None
