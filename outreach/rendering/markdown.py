"""A campaign's body, written in Markdown, as MJML for people who see and as text for everything else.

Both come from one tree, so they say the same. A link alone in a paragraph in bold is a button:
`**[See your street](https://city.example/sweeping)**`. An image alone is shown at the column's width. Columns and
callouts are in blocks.py, a question in questions.py. A line that holds only `{% if … %}` or `{% endif %}` includes or
leaves out whole paragraphs, lists and buttons. HTML in Markdown is shown, never obeyed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markdown_it.tree import SyntaxTreeNode
from markupsafe import escape

from outreach.rendering import blocks, plaintext, questions
from outreach.rendering.errors import TemplateError
from outreach.rendering.links import Links
from outreach.rendering.placeholders import ANY, STATEMENT, STATEMENT_LINE, Placeholders, in_html
from outreach.rendering.questions import ANSWER_BASE, Question
from outreach.rendering.written import BARE_URL

MAX_NESTING = 12
"""Lists and quotes inside one another; ours, far above what can be read."""

_WHOLE_CONDITION = re.compile(r"(Zs\d{5}sZ)((?:(?!Zs\d{5}sZ).)+)(Zs\d{5}sZ)", re.DOTALL)
_CELL = '<td class="column" valign="top"'
_SIMPLE = {"strong": "strong", "em": "em", "s": "s"}


@dataclass(frozen=True, slots=True)
class Body:
    """Both forms of one body, still protected; the MJML goes inside an mj-column."""

    mjml: str
    text: str
    question: Question | None = None

    def __add__(self, other: Body) -> Body:
        return Body(self.mjml + other.mjml, self.text + other.text, self.question or other.question)

    def inside(self, opening: str, closing: str) -> Body:
        """The same between two statements' words."""
        return Body(f"<!--{opening}-->\n{self.mjml}<!--{closing}-->\n", f"{opening}{self.text}{closing}", self.question)


def convert(protected: str, *, placeholders: Placeholders, links: Links, place: str, first_line: int = 1) -> Body:
    """Markdown, its Jinja protected, to both forms; TemplateError with the line where something cannot be sent."""
    tree = SyntaxTreeNode(_parser().parse(protected))
    writer = _Writer(placeholders, links, place=place, first_line=first_line)
    writer.check(tree, depth=0)
    mjml: list[str] = []
    text: list[str] = []
    prose: list[str] = []

    def flush() -> None:
        if prose:
            mjml.append(f"<mj-text>{''.join(prose)}</mj-text>\n")
            prose.clear()

    for node in _unwrapped(tree.children):
        if isinstance(node, str):
            flush()
            mjml.append(f"<!--{node}-->\n")
            text.append(node)
        elif link := _alone(node, "strong", "link"):
            flush()
            writer.stand_at(node)
            label, url = writer.inline(link.children), writer.address(link)
            mjml.append(f'<mj-button href="{escape(url)}">{label}</mj-button>\n')
            text.append(plaintext.button("".join(plaintext.inline(c, writer.address) for c in link.children), url))
        elif image := _alone(node, "image"):
            flush()
            writer.stand_at(node)
            mjml.append(f"<mj-image {writer.image(image)} />\n")
            text.append(plaintext.block(node, writer.address))
        elif node.type == "question":
            asked = writer.question(node)
            prose.append(f"<h2>{escape(asked.text)}</h2>")
            flush()
            text.append(f"{asked.text}\n\n")
            for number, answer in enumerate(asked.answers):
                mjml.append(f'<mj-button href="{writer.answer_base}{number}">{escape(answer)}</mj-button>\n')
                text.append(plaintext.button(answer, f"{writer.answer_base}{number}"))
        else:
            prose.append(writer.block(node))
            text.append(plaintext.block(node, writer.address))
    flush()
    return Body(mjml="".join(mjml), text="".join(text), question=writer.asked)


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 200}).enable(["table", "strikethrough"])
    # What is nested deeper than `maxNesting` would be left out without a word; `_Writer.check` refuses it long before.
    parser.disable(["html_block", "html_inline"])
    # Unsafe links are refused with their place by `Links`, rather than silently shown as text.
    parser.validateLink = lambda url: True  # type: ignore[method-assign]  # markdown-it's documented way
    parser.normalizeLink = lambda url: url  # type: ignore[method-assign]
    blocks.extend(parser)
    questions.extend(parser)
    parser.block.ruler.before("table", "jinja", _statement_line, {"alt": ["paragraph", "blockquote", "list"]})
    parser.core.ruler.after("inline", "bare_links", _bare_links)
    return parser


def _bare_links(state: StateCore) -> None:
    """A markdown-it core rule: web addresses written out become links, except inside links and code."""
    for block in state.tokens:
        if block.type != "inline":
            continue
        children: list[Token] = []
        inside = 0
        for token in block.children or []:
            inside += {"link_open": 1, "link_close": -1}.get(token.type, 0)
            children += [token] if inside or token.type != "text" else _split(token)
        block.children = children


def _split(token: Token) -> Iterable[Token]:
    for number, part in enumerate(BARE_URL.split(token.content)):
        text = Token("text", "", 0, content=part, level=token.level)
        if number % 2:
            yield Token("link_open", "a", 1, attrs={"href": part}, level=token.level)
            yield text
            yield Token("link_close", "a", -1, level=token.level)
        elif part:
            yield text


def _statement_line(state: StateBlock, start: int, _end: int, silent: bool) -> bool:
    """A markdown-it block rule: a line of one statement stands for itself, and ends what is before it."""
    line = state.src[state.bMarks[start] + state.tShift[start] : state.eMarks[start]]
    if not STATEMENT_LINE.fullmatch(line):
        return False
    if not silent:
        token = state.push("jinja", "", 0)
        token.content, token.map = line.strip(), [start, start + 1]
        state.line = start + 1
    return True


def _unwrapped(nodes: Iterable[SyntaxTreeNode]) -> Iterable[SyntaxTreeNode | str]:
    """Top-level blocks; a statement is its word, and a paragraph that is one whole condition loses its empty frame."""
    for node in nodes:
        if node.type == "jinja":
            yield node.content
        elif node.type == "paragraph" and (found := _WHOLE_CONDITION.fullmatch(node.children[0].content)):
            lines_before = "\n" * (node.map[0] if node.map else 0)  # so that errors name the right line
            inner = SyntaxTreeNode(_parser().parse(lines_before + found[2].strip()))
            yield found[1]
            yield from inner.children
            yield found[3]
        else:
            yield node


def _alone(node: SyntaxTreeNode, *path: str) -> SyntaxTreeNode | None:
    """The innermost of `path`, when the paragraph holds nothing else."""
    if node.type != "paragraph":
        return None
    inner = node.children[0]
    for kind in path:
        children = [child for child in inner.children if child.type != "text" or child.content.strip()]
        if len(children) != 1 or children[0].type != kind:
            return None
        inner = children[0]
    return inner


class _Writer:
    """HTML of the blocks; it knows where it is, for errors, and rewrites links as it meets them."""

    def __init__(self, placeholders: Placeholders, links: Links, *, place: str, first_line: int) -> None:
        self._placeholders, self._links = placeholders, links
        self._place, self._first_line = place, first_line
        self._line = first_line
        self._addresses: dict[int, str] = {}
        self.asked: Question | None = None
        """The message's one question, once it was met."""
        self.answer_base = placeholders.variable(ANSWER_BASE)

    def stand_at(self, node: SyntaxTreeNode) -> None:
        if not node.is_root and node.map:
            self._line = self._first_line + node.map[0]

    def check(self, node: SyntaxTreeNode, *, depth: int) -> None:
        """Conditions must begin and end inside the same paragraph, item or piece of bold text."""
        self.stand_at(node)
        if depth > MAX_NESTING * 2:
            raise self._error("lists or quotes are nested too deeply")
        words: list[str] = []
        for child in node.children:
            if child.type in ("text", "jinja"):
                words += STATEMENT.findall(child.content)
            elif child.type in ("code_inline", "fence", "code_block", "image") and STATEMENT.search(child.content):
                raise self._error("{% … %} cannot stand inside code or an image")
        if not balanced(self._placeholders.keyword(word) for word in words):
            raise self._error(
                "a condition must begin and end in the same paragraph or list item; to choose whole paragraphs, put"
                " {% if … %} and {% endif %} on lines of their own"
            )
        for child in node.children:
            self.check(child, depth=depth + 1)

    def block(self, node: SyntaxTreeNode) -> str:
        self.stand_at(node)
        kind = node.type
        if kind == "question":
            raise self._error("a question stands by itself, in no column, list or quote")
        if kind == "jinja":
            return f"<!--{node.content}-->"
        if kind == "inline":
            return self.inline(node.children)
        if kind in ("fence", "code_block"):
            return f"<pre>{escape(node.content)}</pre>"
        if kind == "hr":
            return "<hr />"
        if kind == "paragraph" and node.parent is not None and node.parent.type == "list_item" and node.hidden:
            return self.block(node.children[0])
        inside = "".join(self.block(child) for child in node.children)
        if kind == "table":
            return f'<table class="data" cellspacing="0">{inside}</table>'
        if kind == "columns":
            cells = inside.replace(_CELL, f'{_CELL} width="{100 // len(node.children)}%"')
            return f'<table class="columns" role="presentation" cellspacing="0" width="100%"><tr>{cells}</tr></table>'
        if kind == "column":
            return f"{_CELL}>{inside}</td>"
        if kind == "blockquote" and (named := node.attrs.get("class")):
            return f'<blockquote class="callout {named}">{inside}</blockquote>'
        if kind == "th":
            return f'<th scope="col">{inside}</th>'
        if kind == "ordered_list" and (start := int(node.attrs.get("start", 1))) != 1:
            return f'<ol start="{start}">{inside}</ol>'
        return f"<{node.tag}>{inside}</{node.tag}>"

    def question(self, node: SyntaxTreeNode) -> Question:
        """The question of a block; it is the same for everybody, and there is one."""
        self.stand_at(node)
        asked: Question = node.meta["question"]
        if fault := node.meta["fault"]:
            raise self._error(fault)
        if any(ANY.search(words) for words in (asked.text, *asked.answers)):
            raise self._error(
                "a question and its answers are the same for everybody: {{ … }} and {% … %} cannot stand in them"
            )
        if self.asked is not None:
            raise self._error("a message has one question, and this is the second")
        self.asked = asked
        return asked

    def _error(self, problem: str) -> TemplateError:
        return TemplateError(problem, place=self._place, line=self._line)

    def inline(self, nodes: Iterable[SyntaxTreeNode]) -> str:
        return "".join(self._inline(node) for node in nodes)

    def _inline(self, node: SyntaxTreeNode) -> str:
        kind = node.type
        if kind == "text":
            return self._text(node)
        if kind in ("softbreak", "hardbreak"):
            self._line += 1
            return "\n" if kind == "softbreak" else "<br />"
        if kind == "code_inline":
            return f"<code>{escape(node.content)}</code>"
        if kind == "image":
            return f"<img {self.image(node)} />"
        inside = self.inline(node.children)
        if kind == "link":
            return f'<a href="{escape(self.address(node))}">{inside}</a>'
        return f"<{_SIMPLE[kind]}>{inside}</{_SIMPLE[kind]}>"

    def _text(self, node: SyntaxTreeNode) -> str:
        return in_html(str(escape(node.content)))

    def address(self, node: SyntaxTreeNode) -> str:
        """A link's rewritten address; both parts ask, and a fault is told once, where the first stood."""
        if id(node) not in self._addresses:
            href = str(node.attrs.get("href", ""))
            self._addresses[id(node)] = self._links.rewrite(href, place=self._place, line=self._line)
        return self._addresses[id(node)]

    def image(self, node: SyntaxTreeNode) -> str:
        """The attributes of an image."""
        url = self._links.image(str(node.attrs.get("src", "")), place=self._place, line=self._line)
        return f'src="{escape(url)}" alt="{escape(node.content)}"'


def balanced(keywords: Iterable[str]) -> bool:
    """Every if has its endif, and no elif or else stands alone."""
    depth = 0
    for keyword in keywords:
        depth += {"if": 1, "endif": -1}.get(keyword, 0)
        if depth < 0 or (depth == 0 and keyword in ("elif", "else")):
            return False
    return depth == 0
