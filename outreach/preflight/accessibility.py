"""Accessibility by static rules, on the HTML as it would arrive (WCAG 2.1 AA, as far as it can be seen without eyes).

They agree with axe-core on the starter templates and on templates broken on purpose (tests/preflight). Colours are
those written inline, which is all that most mail programs obey; an image behind text is not judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from outreach.preflight import source
from outreach.preflight.contrast import BLACK, WHITE, Colour, colour, contrast
from outreach.preflight.draft import City, Draft
from outreach.preflight.findings import Finding, Severity

CHECK: Final = "accessibility"
SMALLEST: Final = 13.5
"""Pixels of text; ours."""

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*", re.IGNORECASE).fullmatch
_EMPTY_WORDS: Final = frozenset(
    [
        "click here",
        "here",
        "more",
        "read more",
        "learn more",
        "link",
        "this",
        "this link",
        "go",
        "aquí",
        "haga clic aquí",
        "más",
        "leer más",
        "hier",
        "mehr",
        "hier klicken",
        "weiterlesen",
        "ici",
        "cliquez ici",
        "en savoir plus",
        "clique aqui",
        "aqui",
    ]
)
_SKIPPED: Final = frozenset({"script", "style", "head", "title", "meta", "noscript"})
_HIDDEN = re.compile(r"display:\s*none|visibility:\s*hidden")


def check(draft: Draft, city: City) -> Iterator[Finding]:
    del city
    yield from _written(draft)
    if draft.html:
        yield from rendered(draft)


def _finding(severity: Severity, place: str, problem: str, fix: str) -> Finding:
    return Finding(CHECK, severity, place, problem, fix)


def _written(draft: Draft) -> Iterator[Finding]:
    """What shows best where the author wrote it."""
    level = 0
    for heading in source.headings(draft.body):
        if level and heading.level > level + 1:
            yield _finding(
                Severity.WARN, draft.body_at(heading.line),
                f'the heading "{heading.text[:40]}" jumps from level {level} to {heading.level}',
                f"write it with {'#' * (level + 1)}",
            )  # fmt: skip
        if not heading.text:
            yield _finding(
                Severity.BLOCK, draft.body_at(heading.line), "a heading is empty", "write it, or take it away"
            )
        level = heading.level
    for link in source.links(draft.body):
        place = draft.body_at(link.line)
        words = " ".join(re.sub(r"[*_`]|!\[([^\]]*)\]\([^)]*\)", r"\1", link.label).lower().split()).rstrip(".:!>» →")
        if link.image:
            if not words:
                yield _finding(
                    Severity.BLOCK, place, "an image has no alternative text",
                    "say in the square brackets what it shows: ![A map of the closed streets](…)",
                )  # fmt: skip
            elif re.search(r"\.(?:png|jpe?g|gif|webp)$", words):
                yield _finding(
                    Severity.WARN, place, f'an image\'s alternative text is a file name, "{link.label}"',
                    "say what it shows",
                )  # fmt: skip
        elif not words:
            yield _finding(Severity.BLOCK, place, "a link has no words", "say in the square brackets where it leads")
        elif words in _EMPTY_WORDS:
            yield _finding(
                Severity.WARN, place, f'a link says only "{link.label}"',
                "name what is behind it: people with screen readers hear links one by one",
            )  # fmt: skip
        elif words.startswith(("http://", "https://")) and len(words) > 40:
            yield _finding(
                Severity.WARN, place, "a long web address stands for itself", "write [what it is](the address) instead"
            )


def rendered(draft: Draft) -> Iterator[Finding]:
    """What the HTML shows, layout included."""
    tree = LexborHTMLParser(draft.html)
    layout = draft.template_place
    root = tree.css_first("html")
    language = (root.attributes.get("lang") or "") if root else ""
    if not _LANGUAGE(language):
        yield _finding(Severity.BLOCK, layout, "the HTML does not say its language", '<mjml lang="{{ language }}">')
    title = tree.css_first("head title")
    if title is None or not title.text(strip=True):
        yield _finding(Severity.BLOCK, layout, "the HTML has no title", "<mj-title>{{ subject }}</mj-title>")
    yield from _images(draft, tree)
    yield from _links(draft, tree)
    yield from _tables(draft, tree)
    yield from _headings(layout, tree)
    if tree.body is not None:
        yield from _colours(draft, tree.body)


def _images(draft: Draft, tree: LexborHTMLParser) -> Iterator[Finding]:
    for image in tree.css("body img"):
        alt = image.attributes.get("alt", None)
        if "alt" not in image.attributes or (alt is None and not _is_empty_alt(image)):
            yield _finding(
                Severity.BLOCK, draft.template_place, f"an image has no alt: {_shown(image)}",
                'add alt="what it shows", or alt="" if it is decoration',
            )  # fmt: skip


def _is_empty_alt(image: LexborNode) -> bool:
    return bool(re.search(r'\salt(?:=""|=\'\'|\s|>|/)', image.html or ""))


def _links(draft: Draft, tree: LexborHTMLParser) -> Iterator[Finding]:
    for link in tree.css("body a[href]"):
        words = link.text(strip=True) or (link.attributes.get("aria-label") or "").strip()
        words = words or "".join((image.attributes.get("alt") or "") for image in link.css("img")).strip()
        if not words:
            yield _finding(
                Severity.BLOCK, draft.template_place, f"a link has no words: {_shown(link)}",
                "say where it leads; a linked image needs an alt that does",
            )  # fmt: skip


def _tables(draft: Draft, tree: LexborHTMLParser) -> Iterator[Finding]:
    layout = draft.template_place
    for table in tree.css("body table"):
        if table.attributes.get("role") in ("presentation", "none"):
            continue
        own = [cell for cell in table.css("th") if _table_of(cell) == table]
        if not own:
            yield _finding(
                Severity.WARN, layout, f"a table is read as data: {_shown(table)}",
                'add role="presentation" if it only arranges, or <th scope="col"> if it is data',
            )  # fmt: skip


def _table_of(cell: LexborNode) -> LexborNode | None:
    node = cell.parent
    while node is not None and node.tag != "table":
        node = node.parent
    return node


def _headings(layout: str, tree: LexborHTMLParser) -> Iterator[Finding]:
    for heading in tree.css("h1, h2, h3, h4, h5, h6"):
        if not heading.text(strip=True) and not heading.css("img[alt]"):
            yield _finding(Severity.BLOCK, layout, "a heading is empty", "write it, or take it away")


def _colours(draft: Draft, body: LexborNode) -> Iterator[Finding]:
    told: set[tuple[str, str]] = set()
    for words, ink, ground, size, bold in _texts(body):
        shown = " ".join(words.split())[:50]
        ratio = contrast(ink, ground)
        needed = 3.0 if size >= 24 or (bold and size >= 18.66) else 4.5
        if ratio < needed and ("contrast", hexed(ink) + hexed(ground)) not in told:
            told.add(("contrast", hexed(ink) + hexed(ground)))
            yield _finding(
                Severity.BLOCK, draft.find(shown),
                f'"{shown}" has a contrast of {ratio:.1f} to 1, {hexed(ink)} on {hexed(ground)}; it needs {needed:g}',
                "make the text darker or its background lighter",
            )  # fmt: skip
        if size < SMALLEST and ("size", shown) not in told:
            told.add(("size", shown))
            yield _finding(
                Severity.WARN, draft.find(shown), f'"{shown}" is set in {size:g} pixels', "use 14 pixels or more"
            )


def hexed(rgb: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def _texts(body: LexborNode) -> Iterator[tuple[str, Colour, Colour, float, bool]]:
    """Each text with its colour, the colour behind it, its size in pixels, and whether it is bold."""
    stack: list[tuple[LexborNode, Colour, Colour | None, float, bool]] = [(body, BLACK, WHITE, 16.0, False)]
    while stack:
        node, ink, ground, size, bold = stack.pop()
        if node.tag in _SKIPPED:
            continue
        style = _style(node)
        if _HIDDEN.search(node.attributes.get("style") or ""):
            continue
        ink = colour(style.get("color", "")) or (_LINK if node.tag == "a" and "href" in node.attributes else ink)
        behind = style.get("background-color") or style.get("background") or node.attributes.get("bgcolor") or ""
        if "url(" in behind or "gradient" in behind or node.attributes.get("background"):
            ground = None
        else:
            ground = colour(behind.split(" ")[0] if "rgb" not in behind else behind) or ground
        size = _size(style.get("font-size", ""), size)
        weight = style.get("font-weight", "")
        bold = node.tag in ("b", "strong", "th", "h1", "h2", "h3", "h4", "h5", "h6") or bold
        bold = weight in ("bold", "600", "700", "800", "900") if weight else bold
        child = node.child
        while child is not None:
            if child.tag == "-text":
                words = child.text_content or ""
                if words.strip() and ground is not None:
                    yield words.strip(), ink, ground, size, bold
            elif child.tag and not child.tag.startswith("-"):
                stack.append((child, ink, ground, size, bold))
            child = child.next


_LINK: Final[Colour] = (0, 0, 238)
"""What browsers draw a link in that has no colour of its own."""


def _style(node: LexborNode) -> dict[str, str]:
    style: dict[str, str] = {}
    for declaration in (node.attributes.get("style") or "").split(";"):
        name, colon, value = declaration.partition(":")
        if colon:
            style[name.strip().lower()] = value.strip().lower()
    return style


def _size(text: str, inherited: float) -> float:
    found = re.match(r"([\d.]+)(px|pt|em|rem|%)", text)
    if not found:
        return inherited
    number = float(found[1])
    return {
        "px": number, "pt": number * 4 / 3, "em": number * inherited, "rem": number * 16, "%": number * inherited / 100,
    }[found[2]]  # fmt: skip


def _shown(node: LexborNode) -> str:
    return " ".join((node.html or "").split())[:70]
