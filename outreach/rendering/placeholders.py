"""Jinja tokens survive Markdown, MJML and HTML tools as short ASCII words, and come back afterwards.

Every such tool mangles `{{ x | default("y") }}` or `{% if n < 3 %}` somewhere: quotes are escaped, comparisons become
tags, a condition around a table row is moved out of the table. A placeholder is one word for all of them; a statement
stands inside an HTML comment, because that is the one thing HTML leaves in place everywhere.
"""

from __future__ import annotations

import re
from typing import Final

import jinja2

from outreach.rendering.errors import TemplateError

STATEMENT: Final = re.compile(r"Zs\d{5}sZ")
VARIABLE: Final = re.compile(r"Zv\d{5}vZ")
ANY: Final = re.compile(r"<!--(Zs\d{5}sZ)-->|(Zs\d{5}sZ|Zv\d{5}vZ)")
STATEMENT_LINE: Final = re.compile(r"\s*Zs\d{5}sZ\s*")
_OPENING = re.compile(r"\{(?=[{%#])")
_STYLE = re.compile(r"<style\b.*?</style>", re.IGNORECASE | re.DOTALL)


class Placeholders:
    """The tokens of one message; all its sources share one, so that their words never clash."""

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}
        self._lexer = jinja2.Environment(keep_trailing_newline=True)  # noqa: S701  # only its lexer is used

    def protect(self, source: str, *, place: str, first_line: int = 1) -> str:
        """`source` with each {{ }} and {% %} replaced by its word; comments are dropped, lines keep their number."""
        if found := ANY.search(source):
            raise TemplateError(f'the word "{found[0]}" is reserved; please choose another', place=place)
        out: list[str] = []
        token: list[str] = []
        try:
            for line, kind, value in self._lexer.lex(source):
                if kind in ("raw_begin", "raw_end"):
                    raise TemplateError("{% raw %} is not available", place=place, line=first_line + line - 1)
                if kind == "data":
                    out.append(value)
                elif kind.startswith("comment"):
                    out.append("\n" * value.count("\n"))
                else:
                    token.append(value)
                    if kind in ("variable_end", "block_end"):
                        out.append(self._word("".join(token)))
                        token.clear()
        except jinja2.TemplateSyntaxError as error:
            raise TemplateError(str(error.message), place=place, line=first_line + error.lineno - 1) from None
        return "".join(out)

    def variable(self, name: str) -> str:
        """The word for `{{ name }}`."""
        return self._word(f"{{{{ {name} }}}}")

    def statement(self, said: str) -> str:
        """The word for `{% said %}`."""
        return self._word(f"{{% {said} %}}")

    def _word(self, token: str) -> str:
        letter = "v" if token.startswith("{{") else "s"
        word = f"Z{letter}{len(self._tokens):05d}{letter}Z"
        self._tokens[word] = token.replace("\n", " ")
        return word

    def token(self, word: str) -> str:
        return self._tokens[word]

    def name_in(self, word: str) -> str | None:
        """The name, when the word stands for `{{ name }}` and nothing more."""
        inner = self._tokens[word].removeprefix("{{").removesuffix("}}").strip("-+ ")
        return inner if inner.isidentifier() else None

    def keyword(self, word: str) -> str:
        """if, elif, else or endif: what a statement's word stands for."""
        return self._tokens[word].removeprefix("{%").removesuffix("%}").strip("-+ ").split(" ", 1)[0]

    def restore_html(self, text: str) -> str:
        """Tokens put back; whatever else could be read as Jinja is made harmless first."""
        text = _STYLE.sub(lambda style: _OPENING.sub("{ ", style[0]), text)
        return self._restore(_OPENING.sub("&#123;", text))

    def restore_text(self, text: str) -> str:
        return self._restore(_OPENING.sub(self.variable_for_brace(), text))

    def variable_for_brace(self) -> str:
        return self._word('{{ "{" }}')

    def _restore(self, text: str) -> str:
        return ANY.sub(lambda found: self._tokens[found[1] or found[2]], text)


def in_html(text: str) -> str:
    """Escaped text, its statements inside comments."""
    return STATEMENT.sub(lambda found: f"<!--{found[0]}-->", text)
