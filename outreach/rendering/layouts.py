"""Where layouts are, and how one is put together.

`templates/NAME/layout.mjml` in the workspace, else among those that come with the product. A layout may include
partials (`<mj-include path="_base/footer.mjml" />`, looked for in the same folders) and name colours of the
department's look with a default (`@{accent|#0b5c8a}`): `[look]` in a file of `senders/` sets them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from outreach.errors import UsageError
from outreach.rendering.errors import did_you_mean

DEFAULT: Final = "notice"
FILE: Final = "layout.mjml"
MAX_DEPTH: Final = 5
"""Partials inside one another; ours."""
MAX_CHARACTERS: Final = 1_000_000
"""Of a layout with its partials, ours."""

_INCLUDE = re.compile(r"<mj-include\s+path=\"([^\"]*)\"\s*/>")
_NAME = re.compile(r"(?:[\w-]+/)*[\w-]+\.mjml")
_LOOK = re.compile(r"@\{(\w+)\|(#[0-9a-fA-F]{6})\}")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}").fullmatch


def content_folder() -> Path:
    """Our own templates/: beside the package in a checkout, inside it in an installed wheel."""
    package = Path(__file__).resolve().parent.parent
    checkout = package.parent / "templates"
    return checkout if checkout.is_dir() else package / "content" / "templates"


def layout_names(*, folders: Sequence[Path] = ()) -> list[str]:
    """What `template:` in a campaign file can say."""
    return sorted({entry.parent.name for folder in [*folders, content_folder()] for entry in folder.glob(f"*/{FILE}")})


def read_layout(name: str = DEFAULT, *, folders: Sequence[Path] = (), look: Mapping[str, str] | None = None) -> str:
    """The MJML of a layout, from the first of `folders` that has it, then from ours. UsageError names what there is.

    `look` holds colours (#rrggbb) by name.
    """
    searched = [*folders, content_folder()]
    known = layout_names(folders=folders)
    if name not in known:  # also refuses a name that is a path
        hint = did_you_mean(name, known) or f"; there are {', '.join(known) or 'none'}"
        raise UsageError(f'no template is called "{name}"{hint}')
    path = next(path for folder in searched if (path := folder / name / FILE).is_file())
    return _coloured(_whole(path.read_text("utf-8"), searched, depth=0), look or {})


def _whole(text: str, folders: Sequence[Path], *, depth: int) -> str:
    """The text with its partials in their places."""
    if depth > MAX_DEPTH:
        raise UsageError(f"partials of a layout are included more than {MAX_DEPTH} deep; does one include itself?")
    whole = _INCLUDE.sub(lambda found: _whole(_partial(found[1], folders), folders, depth=depth + 1), text)
    if len(whole) > MAX_CHARACTERS:
        raise UsageError(f"a layout has more than {MAX_CHARACTERS:,} characters with its partials")
    return whole


def _partial(path: str, folders: Sequence[Path]) -> str:
    """A partial by its path below templates/: plain names only, and no link that leads out of the folder."""
    if _NAME.fullmatch(path):
        for folder in folders:
            file = (folder / path).resolve()
            if file.is_file() and file.is_relative_to(folder.resolve()):
                return file.read_text("utf-8")
    raise UsageError(f'a layout includes "{path}", which is no partial in templates/; name one as in _base/footer.mjml')


def _coloured(text: str, look: Mapping[str, str]) -> str:
    for name, value in look.items():
        if not _COLOUR(value):
            raise UsageError(f'the look\'s {name} is "{value}"; write a colour as in #0b5c8a')
    return _LOOK.sub(lambda found: look.get(found[1], found[2]), text)
