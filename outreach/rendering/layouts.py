"""Where templates are, and how one is put together.

    templates/NAME/layout.mjml     a frame; it says {{ body }} where a campaign's own text goes
    templates/NAME/message.mjml    or a whole message, with {{ body }} only if it wants one,
    templates/NAME/message.txt     and the same for whoever reads text

`message.es.mjml` and `message.es.txt` (or `layout.es.mjml`) are for those who read Spanish; in a language that is
not there, the one without a language is taken. They are looked for in the workspace first, then among those that come
with the product.

A file may begin with `{% extends "_base/page.mjml" %}` and fill that layout's `{% block … %}`s; it may include partials
(`<mj-include path="_base/footer.mjml" />`, in text `{% include "_base/footer.txt" %}`), all from the same folders; and
it may name colours of the department's look with a default (`@{accent|#0b5c8a}`): `[look]` in a file of `senders/`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from outreach.errors import UsageError
from outreach.rendering.errors import did_you_mean

DEFAULT: Final = "notice"
FRAME: Final = "layout.mjml"
MESSAGE: Final = "message.mjml"
TEXT: Final = "message.txt"
MAX_DEPTH: Final = 5
"""Partials and layouts inside one another; ours."""
MAX_CHARACTERS: Final = 1_000_000
"""Of a template with its partials, ours."""

_INCLUDE = re.compile(r"<mj-include\s+path=\"([^\"]*)\"\s*/>|\{%-?\s*include\s+\"([^\"]*)\"\s*-?%\}\n?")
_EXTENDS = re.compile(r"\s*\{%-?\s*extends\s+\"([^\"]*)\"\s*-?%\}")
_BLOCK = re.compile(r"\{%-?\s*block\s+(\w+)\s*-?%\}(.*?)\{%-?\s*endblock\b[^%]*-?%\}", re.DOTALL)
_ASIDE = re.compile(r"<!--.*?-->|\{#.*?#\}|\s+", re.DOTALL)
_NAME = re.compile(r"(?:[\w-]+/)*[\w-]+\.(?:mjml|txt)")
_LOOK = re.compile(r"@\{(\w+)\|(#[0-9a-fA-F]{6})\}")
_COLOUR = re.compile(r"#[0-9a-fA-F]{6}").fullmatch


@dataclass(frozen=True, slots=True)
class Template:
    """What a message is made of beside the campaign's own text."""

    mjml: str
    text: str = ""
    """Empty: the text part is made from the campaign's own text."""
    languages: tuple[str, ...] | None = None
    """Those a whole message is written in beside the main one; None for a frame, which is for every language."""
    place: str = ""
    """Of a whole message: what file it is, without its end."""


def content_folder() -> Path:
    """Our own templates/: beside the package in a checkout, inside it in an installed wheel."""
    package = Path(__file__).resolve().parent.parent
    checkout = package.parent / "templates"
    return checkout if checkout.is_dir() else package / "content" / "templates"


def layout_names(*, folders: Sequence[Path] = ()) -> list[str]:
    """What `template:` in a campaign file can say."""
    searched = [*folders, content_folder()]
    files = (file for folder in searched for kind in (FRAME, MESSAGE) for file in folder.glob(f"*/{kind}"))
    return sorted({file.parent.name for file in files})


def read_layout(name: str = DEFAULT, *, folders: Sequence[Path] = (), look: Mapping[str, str] | None = None) -> str:
    """The MJML of a template in the main language."""
    return read_template(name, folders=folders, look=look).mjml


def read_template(
    name: str = DEFAULT,
    *,
    language: str = "",
    folders: Sequence[Path] = (),
    look: Mapping[str, str] | None = None,
) -> Template:
    """A template, from the first of `folders` that has it, then from ours. UsageError names what there is.

    `look` holds colours (#rrggbb) by name.
    """
    searched = [*folders, content_folder()]
    known = layout_names(folders=folders)
    if name not in known:  # also refuses a name that is a path
        hint = did_you_mean(name, known) or f"; there are {', '.join(known) or 'none'}"
        raise UsageError(f'no template is called "{name}"{hint}')
    folder = next(found for each in searched if _is_template(found := each / name))
    if not (folder / MESSAGE).is_file():
        return Template(_read(_sibling(folder / FRAME, language), searched, look))
    written, text = _written(folder), _sibling(folder / MESSAGE, language).with_suffix(".txt")
    if not text.is_file():
        raise UsageError(f"templates/{name} lacks {text.name}: who reads text gets that, with the same words and links")
    return Template(
        mjml=_read(text.with_suffix(".mjml"), searched, look),
        text=_read(text, searched, look),
        languages=written,
        place=f"templates/{name}/{text.stem}",
    )


def _is_template(folder: Path) -> bool:
    return (folder / FRAME).is_file() or (folder / MESSAGE).is_file()


def _written(folder: Path) -> tuple[str, ...]:
    """The languages of a whole message beside the main one."""
    stem = Path(MESSAGE).stem
    return tuple(sorted(file.suffixes[0].removeprefix(".").lower() for file in folder.glob(f"{stem}.*.mjml")))


def _sibling(file: Path, language: str) -> Path:
    """The file in a language, or in that language wherever it is spoken, or in the main one."""
    tags = dict.fromkeys((language, language.lower(), language.partition("-")[0].lower()))
    found = (file.with_name(f"{file.stem}.{tag}{file.suffix}") for tag in tags if tag)
    return next((each for each in found if each.is_file()), file)


def _read(file: Path, folders: Sequence[Path], look: Mapping[str, str] | None) -> str:
    return _coloured(_whole(_decoded(file), folders, depth=0), look or {})


def _decoded(file: Path) -> str:
    try:
        return file.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file.name} is not UTF-8 text (byte {error.start}); save it as UTF-8") from None


def _whole(text: str, folders: Sequence[Path], *, depth: int) -> str:
    """The text in its layout, with its partials in their places."""
    if depth > MAX_DEPTH:
        raise UsageError(f"partials of a layout are included more than {MAX_DEPTH} deep; does one include itself?")

    def included(found: re.Match[str]) -> str:
        return _whole(_partial(found[1] or found[2] or "", folders), folders, depth=depth + 1)

    whole = _INCLUDE.sub(included, _in_its_layout(text, folders, depth=depth))
    if len(whole) > MAX_CHARACTERS:
        raise UsageError(f"a layout has more than {MAX_CHARACTERS:,} characters with its partials")
    return whole


def _in_its_layout(text: str, folders: Sequence[Path], *, depth: int) -> str:
    """The layout that `text` extends, its blocks filled; blocks that nobody fills hold what the layout says."""
    blocks: dict[str, str] = {}
    while found := _EXTENDS.match(text):
        own = text[found.end() :]
        if stray := _ASIDE.sub("", _BLOCK.sub("", own)):
            raise UsageError(
                f'"{stray[:30]}" stands outside the blocks of a file that extends "{found[1]}"; put it into one of them'
            )
        blocks = dict(_BLOCK.findall(own)) | blocks
        depth += 1
        if depth > MAX_DEPTH:
            raise UsageError(f"layouts extend one another more than {MAX_DEPTH} deep; does one extend itself?")
        text = _partial(found[1], folders)
        offered = [name for name, _ in _BLOCK.findall(text)]
        if not _EXTENDS.match(text) and (strange := [name for name in blocks if name not in offered]):
            hint = did_you_mean(strange[0], offered) or f"; there are {', '.join(offered) or 'none'}"
            raise UsageError(f'"{found[1]}" has no block "{strange[0]}"{hint}')
    return _BLOCK.sub(lambda block: blocks.get(block[1], block[2]), text)


def _partial(path: str, folders: Sequence[Path]) -> str:
    """A partial by its path below templates/: plain names only, and no link that leads out of the folder."""
    if _NAME.fullmatch(path):
        for folder in folders:
            file = (folder / path).resolve()
            if file.is_file() and file.is_relative_to(folder.resolve()):
                return _decoded(file)
    raise UsageError(f'a layout includes "{path}", which is no partial in templates/; name one as in _base/footer.mjml')


def _coloured(text: str, look: Mapping[str, str]) -> str:
    for name, value in look.items():
        if not _COLOUR(value):
            raise UsageError(f'the look\'s {name} is "{value}"; write a colour as in #0b5c8a')
    return _LOOK.sub(lambda found: look.get(found[1], found[2]), text)
