"""What one person will read, as plain text: for previews, for tests, and for naming the field that fails.

Rendered by Jinja in its ordinary way. The wire form, decoded, is the same (tests/properties/test_wire_property.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

import jinja2
from markupsafe import Markup, escape

from outreach.rendering import headers, personal
from outreach.rendering.errors import ComposeError
from outreach.rendering.expressions import Sandbox, missing, printed, tree_for
from outreach.rendering.message import CompiledMessage, Recipient
from outreach.rendering.questions import ANSWER_BASE

NOWHERE: Final = "#"
_PIXEL = re.compile(r"<img\b[^<>]*\{\{ pixel_url \}\}[^<>]*>")
_CLICK = re.compile(r"\{\{ click_base \}\}(\d+)")


class _PlainSandbox(Sandbox):
    def __init__(self, *, html: bool, language: str) -> None:
        super().__init__(language=language, autoescape=html)
        self.finalize = self._printed

    @staticmethod
    def _printed(value: Any) -> Any:
        return value if isinstance(value, Markup) else printed(value)


class Plain:
    """One template, rendered as text."""

    def __init__(self, source: str, *, html: bool, language: str, constants: Mapping[str, str]) -> None:
        environment = _PlainSandbox(html=html, language=language)
        tree = tree_for(environment, source, constants)
        self._template = jinja2.Template.from_code(environment, environment.compile(tree), {})

    def render(self, values: Mapping[str, Any]) -> str:
        """ComposeError, naming the field, when a missing value would be printed."""
        return self._template.render(values)


def direct(compiled: CompiledMessage) -> CompiledMessage:
    """The message with links that lead where they really go and count nothing."""
    html = _CLICK.sub(lambda found: str(escape(compiled.links[int(found[1])])), compiled.html)
    text = _CLICK.sub(lambda found: compiled.links[int(found[1])], compiled.text)
    return replace(compiled, html=html, text=text).hashed()


def untracked(compiled: CompiledMessage) -> CompiledMessage:
    """The message for who does not want to be followed: no pixel either."""
    return replace(compiled, html=_PIXEL.sub("", compiled.html)) if "pixel_url" in compiled.html else compiled


def render_preview(
    compiled: CompiledMessage, recipient: Recipient, *, urls: Mapping[str, str] | None = None
) -> tuple[str, str, str]:
    """(subject, html, text) for one person. Without `urls`, links lead to where they really go and nothing counts.

    Raises ComposeError as composing would.
    """
    if urls is None:
        compiled = direct(compiled)
        urls = dict.fromkeys(("unsubscribe_url", "preferences_url", "view_url", "click_base", ANSWER_BASE), NOWHERE)
        urls["pixel_url"] = "data:,"
    values = {**values_of(compiled, recipient), **straight(compiled, recipient), **urls}
    constants = tuple(sorted(compiled.constants.items()))
    subject = _plain(compiled.subject, html=False, language=compiled.language, constants=constants).render(values)
    try:
        headers.subject(subject)
    except headers.HeaderError as error:
        raise ComposeError(str(error)) from None
    return (
        headers.tidy(subject),
        _plain(compiled.html, html=True, language=compiled.language, constants=constants).render(values),
        _plain(compiled.text, html=False, language=compiled.language, constants=constants).render(values),
    )


def straight(compiled: CompiledMessage, recipient: Recipient) -> dict[str, Any]:
    """Personal links as they lead where they go, by the names of their variables."""
    found: dict[str, Any] = {}
    for number, template in enumerate(compiled.links):
        if personal.fields_of(template):
            values = personal.values_for(template, recipient.attributes)
            address = personal.filled(template, values) if isinstance(values, dict) else values
            found[f"{personal.PERSONAL_LINK}{number}"] = address
    return found


@lru_cache(maxsize=64)
def _plain(source: str, *, html: bool, language: str, constants: tuple[tuple[str, str], ...]) -> Plain:
    """Compiled once: a gate renders every row of an audience."""
    return Plain(source, html=html, language=language, constants=dict(constants))


def values_of(compiled: CompiledMessage, recipient: Recipient) -> dict[str, Any]:
    """The fields a message uses; None and empty text are missing."""
    found = {field: recipient.attributes.get(field) for field in compiled.fields}
    return {field: missing(field) if value is None or value == "" else value for field, value in found.items()}


def explain_failure(compiled: CompiledMessage, recipient: Recipient) -> None:
    """Render the slow way, for the ComposeError that says what is wrong with this person's data."""
    render_preview(compiled, recipient)
