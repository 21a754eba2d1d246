"""MJML to HTML, with everything checked that the engine lets pass in silence.

The engine keeps unknown tags and attributes without a word, writes accents and quotes in attribute values as Rust
escapes, reads included files, and ends the process on deep nesting. So: names and depth are checked here, attribute
values are written as numeric references first, includes are refused, and the engine runs in a child process with a
deadline.
"""

from __future__ import annotations

import re
import subprocess
import sys
from functools import lru_cache
from html import unescape
from pathlib import Path

from outreach.rendering.errors import TemplateError, did_you_mean
from outreach.rendering.links import is_ours
from outreach.rendering.mjml_names import ATTRIBUTES, HTML_TAGS, MJML_TAGS, VOID_TAGS
from outreach.rendering.placeholders import ANY, STATEMENT, Placeholders
from outreach.rendering.words import LAYOUT_NAMES

MAX_DEPTH = 60
"""Tags inside one another; ours. The engine's stack ends at some 8,000."""

DEADLINE_SECONDS = 20.0
"""For one compilation, ours; it takes 0.2 s, and most of that is starting Python."""

_PERSONAL = frozenset({"alt", "title", "aria-label"})
_CONSTANT = frozenset({"lang", "dir", "direction", "align", "text-align"})
_ADDRESSES = frozenset({"href", "src"})
_TAG = re.compile(r"<!--(.*?)-->|<(/?)([A-Za-z][\w:-]*)((?:[^<>\"']|\"[^\"]*\"|'[^']*')*)>|<", re.DOTALL)
_ATTRIBUTE = re.compile(r"\s*([^\s=\"'/]+)(?:\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s\"']+))?|\s*/\s*$")
_BLANKS = re.compile(r"(?<=>)[ \t]+(?=\n)")
"""Behind a tag at a line's end: the engine takes them for text, where no text may be."""
_TROUBLE = re.compile(r"[\"'\\<>]|[^\x20-\x7e]")


# By its path, and with neither this folder nor the current one searched for modules (-P): this module is called mjml
# like the engine, and a workspace may hold files of any name.
_WORKER = str(Path(__file__).with_name("mjml_worker.py"))


def prepared(source: str, *, placeholders: Placeholders, place: str) -> str:
    """A protected MJML source, checked and with its attribute traps cured, or TemplateError with the line.

    Author's comments go, except Outlook's conditional ones.
    """
    scan = _Scan(source, placeholders, place)
    cured = _TAG.sub(scan.tag, source)
    scan.finish()
    return _BLANKS.sub("", cured)


class _Scan:
    """One walk over the tags: what is open, at which depth each condition began."""

    def __init__(self, source: str, placeholders: Placeholders, place: str) -> None:
        self._source, self._placeholders, self._place = source, placeholders, place
        self._open: list[str] = []
        self._conditions: list[tuple[int, int]] = []
        self._seen = 0

    def _error(self, problem: str, at: int) -> TemplateError:
        return TemplateError(problem, place=self._place, line=self._source.count("\n", 0, at) + 1)

    def tag(self, found: re.Match[str]) -> str:
        self._statements(self._seen, found.start())
        self._seen = found.end()
        comment, closing, name, attributes = found.groups()
        if comment is not None:
            if word := STATEMENT.fullmatch(comment):
                self._condition(word[0], found.start())
                return found[0]
            outlook = comment.lstrip().startswith(("[if", "<![endif", "[endif"))
            return found[0] if outlook else "\n" * comment.count("\n")
        if name is None:
            raise self._error("a “<” here begins no tag; write &lt; for the sign itself", found.start())
        if closing:
            if not self._open or self._open[-1] != name:
                expected = f"</{self._open[-1]}>" if self._open else "nothing"
                raise self._error(f"</{name}> closes {expected} here; each tag must be closed in turn", found.start())
            self._open.pop()
            return found[0]
        self._known(name, found.start())
        if STATEMENT.search(attributes):
            raise self._error(f"{{% … %}} cannot stand inside the tag <{name}>", found.start())
        empty = attributes.rstrip().endswith("/")
        if not empty and name not in VOID_TAGS:
            self._open.append(name)
            if len(self._open) > MAX_DEPTH:
                raise self._error(f"tags are nested more than {MAX_DEPTH} deep", found.start())
        written = self._attributes(name, attributes.rstrip().removesuffix("/"), found.start())
        return f"<{name}{written}{' /' if empty or name in VOID_TAGS else ''}>"

    def _known(self, name: str, at: int) -> None:
        if name == "mj-include":
            raise self._error("mj-include is not available; put the part into the layout itself", at)
        if name not in MJML_TAGS and name not in HTML_TAGS:
            hint = did_you_mean(name, MJML_TAGS | HTML_TAGS)
            raise self._error(f"no tag is called <{name}>{hint}", at)

    def _attributes(self, tag: str, text: str, at: int) -> str:
        out: list[str] = []
        position = 0
        while text[position:].strip():
            found = _ATTRIBUTE.match(text, position)
            if found is None or found[1] is None:
                raise self._error(f"the tag <{tag}> cannot be read near {text[position:].strip()[:30]!r}", at)
            position = found.end()
            name, value = found[1], unescape((found[2] or "").strip("\"'"))
            # Inside mj-attributes a class or tag carries names of its own; they are MJML attributes all the same.
            if name not in ATTRIBUTES and not name.startswith(("data-", "xmlns", "aria-")):
                raise self._error(f'<{tag}> has no attribute "{name}"{did_you_mean(name, ATTRIBUTES)}', at)
            self._personal(tag, name, value, at)
            out.append(f' {name}="{cured(value)}"')
        return "".join(out)

    def _personal(self, tag: str, name: str, value: str, at: int) -> None:
        """Data never decides an address, a style or a script, even escaped."""
        if ANY.search(value) and name not in _PERSONAL:
            constant = ANY.fullmatch(value) and self._placeholders.name_in(value) in LAYOUT_NAMES
            address = is_ours(value, self._placeholders)
            if not ((name in _CONSTANT and constant) or (name in _ADDRESSES and address)):
                raise self._error(f"{{{{ … }}}} cannot stand in {name}= of <{tag}>; data may not decide it", at)
        if name == "src" and not ANY.fullmatch(value) and not value.lower().startswith(("https://", "http://")):
            raise self._error(f'src="{value[:60]}" of <{tag}> must begin with https://', at)

    def _statements(self, start: int, end: int) -> None:
        for word in STATEMENT.finditer(self._source, start, end):
            self._condition(word[0], word.start())

    def _condition(self, word: str, at: int) -> None:
        keyword, depth = self._placeholders.keyword(word), len(self._open)
        if keyword == "if":
            self._conditions.append((depth, at))
            return
        if not self._conditions or self._conditions[-1][0] != depth:
            raise self._error(f"this {{% {keyword} %}} stands inside another tag than its {{% if %}}", at)
        if keyword == "endif":
            self._conditions.pop()

    def finish(self) -> None:
        self._statements(self._seen, len(self._source))
        if self._open:
            raise self._error(f"<{self._open[-1]}> is never closed", len(self._source))
        if self._conditions:
            raise self._error("this {% if %} has no {% endif %}", self._conditions[-1][1])


def cured(value: str) -> str:
    """An attribute value the engine repeats faithfully: line ends as spaces, everything unusual as a reference."""
    value = re.sub(r"[\r\n\t]+", " ", value)
    return _TROUBLE.sub(lambda found: f"&#{ord(found[0])};", value.replace("&", "&amp;"))


@lru_cache(maxsize=64)
def compiled(source: str, *, place: str) -> str:
    """HTML of a prepared MJML source, CSS inlined. TemplateError when the engine refuses, crashes or takes too long."""
    try:
        result = subprocess.run(  # noqa: S603  # our own file, by our own interpreter
            [sys.executable, "-P", _WORKER],
            input=source.encode(),
            capture_output=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TemplateError(f"MJML did not finish in {DEADLINE_SECONDS:g} seconds", place=place) from None
    if result.returncode < 0:
        raise TemplateError("MJML's compiler broke down over this layout; make it simpler", place=place)
    if result.returncode:
        raise TemplateError(f"MJML does not accept this: {result.stderr.decode(errors='replace')}", place=place)
    return result.stdout.decode()
