"""Templates that are wire-ready: static text is quoted-printable from the start, only values are encoded per person.

By construction the output is 7-bit, CRLF, in lines of at most 76 characters, no line begins with a dot (so there is
nothing to stuff, and a receiver that forgets to unstuff harms no link) or with "From ", and no line ends in a space or
holds two in a row, so that DKIM's relaxed canonical form of it is itself.

How it is fast: a value that is printed as it is gets encoded once per message however often it appears; an output
node is one `''.join`; the context is one look-up. Decoded, the result equals what plain Jinja renders (by property
test): a value is data, never a template.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import jinja2
from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from markupsafe import escape

from outreach.rendering.expressions import Missing, Sandbox, printed, tree_for

SOFT: Final = "=\r\n"
"""A soft line break, RFC 2045 section 6.7 (5)."""

LIMIT: Final = 73
"""Characters of a line before its soft break; the RFC allows 76 with it."""

_PLAIN = frozenset(range(33, 127)) - {ord("=")} | {ord(" ")}
_BYTES: Final = [chr(byte) if byte in _PLAIN else f"={byte:02X}" for byte in range(256)]
_SIMPLE = re.compile(r"(?!.*  )[!-\x2c/-<>-~](?:[ -<>-~]{0,70}[!-<>-~])?").fullmatch
_ENCODED = "encoded__"
_NO_URLS: Final[Mapping[str, str]] = {}


def quoted_printable(text: str) -> tuple[str, int]:
    """`text`, from the start of a line, as RFC 2045 section 6.7 has it; and the column it ends in.

    Unless it ends a line itself, a soft break must follow: it may end in a blank.
    """
    out: list[str] = []
    data = text.encode()
    column, after_space = 0, False
    for position, byte in enumerate(data):
        if byte == 10:
            out.append("\r\n")
            column, after_space = 0, False
            continue
        piece = _BYTES[byte]
        following = data[position + 1] if position + 1 < len(data) else 0
        if piece == " " and (after_space or following == 10):
            piece = "=20"
        if column + len(piece) > LIMIT:
            out.append(SOFT)
            column = 0
        if column == 0 and (byte in b" .-" or data[position : position + 5] == b"From "):
            piece = f"={byte:02X}"
        out.append(piece)
        column += len(piece)
        after_space = piece == " "
    return "".join(out), column


def segment(text: str) -> str:
    """`text` encoded so that anything may stand before and behind it: from line start to line start."""
    if _SIMPLE(text) and text[:5] != "From ":
        return text + SOFT
    encoded, column = quoted_printable(text)
    return encoded + SOFT if column else encoded


# Names, districts and fallbacks repeat. Only text is remembered: 0.0 and -0.0, or 1 and True, are the same key.
@lru_cache(maxsize=16_384)
def _text(value: str) -> str:
    return segment(printed(value))


@lru_cache(maxsize=16_384)
def _html(value: str) -> str:
    return segment(str(escape(printed(value))))


def text_value(value: Any) -> str:
    return _text(value if value.__class__ is str else printed(value))


def html_value(value: Any) -> str:
    return _html(value if value.__class__ is str else printed(value))


class _Wire(CodeGenerator):
    """Writes one join per output node; what is not static or encoded already goes through `environment.encode`."""

    def visit_Output(self, node: nodes.Output, frame: Frame) -> None:  # noqa: N802  # named for the node
        self.writeline("yield ''.join((", node)
        for part in node.nodes:
            if isinstance(part, nodes.TemplateData):
                self.write(repr(part.data))
            elif isinstance(part, nodes.Name) and part.name.startswith(_ENCODED):
                self.write(frame.symbols.ref(part.name))
            else:
                self.write("environment.encode(")
                self.visit(part, frame)
                self.write(")")
            self.write(", ")
        self.write("))")


class _WireSandbox(Sandbox):
    code_generator_class = _Wire
    encode: Callable[[Any], str]


class _Context:
    """All the generated code asks of Jinja's context: `resolve_or_missing`."""

    __slots__ = ("resolve_or_missing",)

    def __init__(self, resolve: Callable[[str], object]) -> None:
        self.resolve_or_missing = resolve


@dataclass(frozen=True, slots=True)
class Form:
    """How a template's output is written: static text at compile time, values per person."""

    static: Callable[[str], str]
    value: Callable[[Any], str]


TEXT: Final = Form(static=segment, value=text_value)
HTML: Final = Form(static=segment, value=html_value)
HEADER: Final = Form(static=str, value=printed)
"""Not encoded here: headers.unstructured encodes a subject as a whole."""


class WireTemplate:
    """One part of a message, ready to be joined with one person's values.

    `names` are the fields and addresses it reads, `decisions` those in conditions and filters among them. `render`
    takes a mapping with all of them; a missing one must be `expressions.Missing`.
    """

    def __init__(self, source: str, *, form: Form, language: str, constants: Mapping[str, str]) -> None:
        environment = _WireSandbox(language=language)
        environment.encode = self._encode = form.value
        tree = tree_for(environment, source, constants)
        self.names = frozenset(name.name for name in tree.find_all(nodes.Name))
        for output in list(tree.find_all(nodes.Output)):
            output.nodes = list(_encoded(output.nodes, form))
        twins = {name.name for name in tree.find_all(nodes.Name) if name.name.startswith(_ENCODED)}
        self._printed = tuple((twin, twin.removeprefix(_ENCODED)) for twin in sorted(twins))
        self.decisions = self.names & {name.name for name in tree.find_all(nodes.Name)}
        template = jinja2.Template.from_code(environment, environment.compile(tree), {})
        self._root: Callable[[Any], Iterable[str]] = template.root_render_func

    def render(self, values: dict[str, Any], *, urls: Mapping[str, str] = _NO_URLS) -> list[str]:
        """The pieces, in order. `urls` are our own addresses, as segments already; `values` gains encoded twins.

        TypeError when a missing value would be printed: the caller finds out which.
        """
        encode = self._encode
        for twin, field in self._printed:
            if field in urls:
                values[twin] = urls[field]
            else:
                value = values[field]
                # What is missing stays so: it must fail only where it is really printed.
                values[twin] = value if value.__class__ is Missing else encode(value)
        return list(self._root(_Context(values.__getitem__)))


def _encoded(parts: Iterable[nodes.Expr], form: Form) -> Iterable[nodes.Expr]:
    """Static text and constants as one encoded text; a field printed as it is, as its encoded twin."""
    static: list[str] = []
    for part in parts:
        if isinstance(part, nodes.TemplateData):
            static.append(part.data)
        elif isinstance(part, nodes.Const):
            text = printed(part.value)
            static.append(str(escape(text)) if form is HTML else text)
        else:
            if static:
                yield nodes.TemplateData(form.static("".join(static)))
                static = []
            yield nodes.Name(_ENCODED + part.name, "load") if isinstance(part, nodes.Name) else part
    if static:
        yield nodes.TemplateData(form.static("".join(static)))
