"""Where layouts are: `templates/NAME/layout.mjml` in the workspace, else among those that come with the product."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from outreach.errors import UsageError
from outreach.rendering.errors import did_you_mean

DEFAULT: Final = "notice"
FILE: Final = "layout.mjml"


def content_folder() -> Path:
    """Our own templates/: beside the package in a checkout, inside it in an installed wheel."""
    package = Path(__file__).resolve().parent.parent
    checkout = package.parent / "templates"
    return checkout if checkout.is_dir() else package / "content" / "templates"


def read_layout(name: str = DEFAULT, *, folders: Sequence[Path] = ()) -> str:
    """The MJML of a layout, from the first of `folders` that has it, then from ours. UsageError names what there is."""
    searched = [*folders, content_folder()]
    known = {entry.parent.name for folder in searched for entry in folder.glob(f"*/{FILE}")}
    if name not in known:  # also refuses a name that is a path
        hint = did_you_mean(name, known) or f"; there are {', '.join(sorted(known)) or 'none'}"
        raise UsageError(f'no template is called "{name}"{hint}')
    path = next(path for folder in searched if (path := folder / name / FILE).is_file())
    return path.read_text("utf-8")
