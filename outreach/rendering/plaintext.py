"""The text part, from the same tree as the HTML: what a terminal, a watch or a screen reader gets.

Links stand behind their words in angle brackets, as RFC 3986 (appendix C) recommends. Paragraphs are one long line:
the reader's program wraps them, whatever its width.
"""

from __future__ import annotations

from collections.abc import Callable

from markdown_it.tree import SyntaxTreeNode

from outreach.rendering.placeholders import ANY

MAX_UNDERLINE = 60


def block(node: SyntaxTreeNode, address: Callable[[SyntaxTreeNode], str]) -> str:
    """A block and the empty line behind it. `address` gives a link's rewritten address."""
    kind = node.type
    if kind == "jinja":
        return node.content
    if kind in ("bullet_list", "ordered_list"):
        return _list(node, address) + "\n"
    if kind == "blockquote":
        return _indented("".join(block(child, address) for child in node.children).rstrip("\n"), "> ", "> ") + "\n\n"
    if kind in ("columns", "column"):
        return "".join(block(child, address) for child in node.children)
    if kind == "table":
        return _table(node, address) + "\n"
    if kind == "hr":
        return "* * *\n\n"
    if kind in ("fence", "code_block"):
        return _indented(node.content.rstrip("\n"), "    ", "    ") + "\n\n"
    text = "".join(inline(child, address) for child in node.children).strip()
    if kind == "heading" and node.tag in ("h1", "h2"):
        return f"{text}\n{'-' * min(max(len(ANY.sub('', text)), 3), MAX_UNDERLINE)}\n\n"
    return f"{text}\n\n"


def inline(node: SyntaxTreeNode, address: Callable[[SyntaxTreeNode], str]) -> str:
    kind = node.type
    if kind in ("text", "code_inline"):
        return node.content
    if kind == "softbreak":
        return " "
    if kind == "hardbreak":
        return "\n"
    if kind == "image":
        return f"[{node.content}]" if node.content else ""
    words = "".join(inline(child, address) for child in node.children)
    if kind == "link":
        url = address(node).removeprefix("mailto:").removeprefix("tel:")
        return url if words in (node.attrs.get("href"), url) else f"{words} <{url}>"
    return words


def button(label: str, url: str) -> str:
    return f"{label}:\n{url}\n\n"


def _list(node: SyntaxTreeNode, address: Callable[[SyntaxTreeNode], str]) -> str:
    start = int(node.attrs.get("start", 1))
    items = []
    for number, item in enumerate(node.children, start):
        mark = f"{number}. " if node.type == "ordered_list" else "- "
        content = "".join(block(child, address).rstrip("\n") + "\n" for child in item.children).rstrip("\n")
        items.append(_indented(content, mark, " " * len(mark)) + "\n")
    return "".join(items)


def _table(node: SyntaxTreeNode, address: Callable[[SyntaxTreeNode], str]) -> str:
    rows = [row for section in node.children for row in section.children]
    cells = [["".join(inline(part, address) for part in cell.children) for cell in row.children] for row in rows]
    return "".join(" | ".join(row) + "\n" for row in cells)


def _indented(text: str, first: str, rest: str) -> str:
    lines = text.split("\n")
    return "\n".join(
        (first if n == 0 else rest) + line if line or first.strip() else line for n, line in enumerate(lines)
    )
