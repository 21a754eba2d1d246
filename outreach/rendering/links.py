"""Every web link of a message is rewritten once, to our click address and a number.

The same destination has the same number in both parts. The numbers index `CompiledMessage.links`, so that a click
carries no address: a link in our mail can never be turned into a redirect to somewhere else. An address that holds a
field's value becomes a template of an address (personal.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from html import unescape
from typing import Final
from urllib.parse import quote, urlsplit

from outreach.rendering.errors import Report, TemplateError, refuse
from outreach.rendering.images import ImageError
from outreach.rendering.personal import MAX_URL, NEVER, PERSONAL_LINK, number_in
from outreach.rendering.placeholders import ANY, VARIABLE, Placeholders
from outreach.rendering.questions import ANSWER_BASE
from outreach.rendering.words import LAYOUT_NAMES

PERSONAL_URLS: Final = frozenset({"unsubscribe_url", "preferences_url", "view_url", "pixel_url"})
"""What a layout may use as a whole address; the composer fills them in per person."""

CLICK_BASE: Final = "click_base"
_NO_FIELDS: Final = PERSONAL_URLS | LAYOUT_NAMES
NOWHERE: Final = "#"
NO_IMAGE: Final = "https://invalid.example/"
"""What stands for an address that was refused, where the compilation goes on only to find more faults."""
_KEPT = ("mailto:", "tel:", "sms:")
_SITE = re.compile(r"https?://[^/?#\s]+[/?#]", re.IGNORECASE)
"""What has to stand before the first field in an address."""
_HREF = re.compile(r'(<(?!!)[^<>]*?\shref=")([^"]*)(")')
_SRC = re.compile(r'(<(?!!)[^<>]*?\ssrc=")([^":]*)(")')
"""An address without a scheme: a file of the workspace."""
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?").fullmatch
_CONTROL = re.compile(r"[\x00-\x20\x7f\\]")


class Links:
    """The destinations of one message, in order of first appearance, after those `numbered` before."""

    def __init__(
        self,
        placeholders: Placeholders,
        *,
        numbered: Sequence[str] = (),
        report: Report = refuse,
        published: Callable[[str], str] | None = None,
    ) -> None:
        self._placeholders, self._report, self._published = placeholders, report, published
        self._numbers = {url: number for number, url in enumerate(numbered)}
        self._base = placeholders.variable(CLICK_BASE)

    def showing(self, published: Callable[[str], str] | None) -> Links:
        """The same numbering, for text whose images are published elsewhere."""
        other = copy(self)
        other._published = published
        return other

    @property
    def destinations(self) -> tuple[str, ...]:
        return tuple(self._numbers)

    def rewrite(self, url: str, *, place: str, line: int | None = None) -> str:
        """The address to write instead of `url`; one we may not send is reported (as a rule, raised).

        http and https become `{{ click_base }}<n>`; mailto, tel and sms stay. A word that is a personal address of
        ours (unsubscribe, preferences, pixel) stays a word.
        """
        try:
            return self._rewritten(url.strip(), place=place, line=line)
        except TemplateError as error:
            self._report(error)
            return NOWHERE

    def image(self, url: str, *, place: str, line: int | None = None) -> str:
        """An image's address. It is fixed: one that differs per person would be a second pixel.

        What has no scheme is an image of the workspace, and becomes the address it is published at.
        """
        try:
            return checked(self._public(url, place=place, line=line), place=place, line=line)
        except TemplateError as error:
            self._report(error)
            return NO_IMAGE

    def _public(self, url: str, *, place: str, line: int | None) -> str:
        if ANY.search(url):
            raise TemplateError("an image's address cannot contain {{ … }}", place=place, line=line)
        if self._published is None or ":" in url or url.startswith("//"):
            return url
        try:
            return self._published(url)
        except ImageError as error:
            raise TemplateError(f"the image {url[:80]} {error}", place=place, line=line) from None

    def _rewritten(self, url: str, *, place: str, line: int | None) -> str:
        if is_ours(url, self._placeholders):
            return url
        if ANY.search(url):
            return self._personal(url, place=place, line=line)
        if url.lower().startswith(_KEPT):
            return url
        destination = checked(url, place=place, line=line)
        return f"{self._base}{self._number(destination)}"

    def _number(self, destination: str) -> int:
        return self._numbers.setdefault(destination, len(self._numbers))

    def _personal(self, url: str, *, place: str, line: int | None) -> str:
        """The variable of a link whose address holds fields' values. The site itself is fixed."""
        words = {found[0]: self._placeholders.name_in(found[0]) for found in ANY.finditer(url)}
        if problem := _not_personal(url, words):
            raise TemplateError(problem, place=place, line=line)
        destination = VARIABLE.sub(lambda found: f"{{{words[found[0]]}}}", checked(url, place=place, line=line))
        return self._placeholders.variable(f"{PERSONAL_LINK}{self._number(destination)}")

    def rewrite_layout(self, mjml: str, *, place: str) -> str:
        """Every href of an MJML or HTML source rewritten, and every image of ours; lines are counted for errors."""

        def rewritten(found: re.Match[str]) -> str:
            line = mjml.count("\n", 0, found.start(2)) + 1
            return found[1] + self.rewrite(unescape(found[2]), place=place, line=line) + found[3]

        def shown(found: re.Match[str]) -> str:
            if ANY.search(found[2]) or self._published is None:  # ours, or for the next check to refuse
                return found[0]
            line = mjml.count("\n", 0, found.start(2)) + 1
            return found[1] + self.image(unescape(found[2]), place=place, line=line) + found[3]

        return _SRC.sub(shown, _HREF.sub(rewritten, mjml))


def _not_personal(url: str, words: Mapping[str, str | None]) -> str:
    """Why an address cannot hold these words, each given with the field it stands for; empty if it can."""
    if any(not VARIABLE.fullmatch(word) or name is None or name in _NO_FIELDS for word, name in words.items()):
        return (
            "a link's address can hold fields as they are, as in {{ zip }}, and nothing else of {{ … }} and {% … %};"
            " put one link per case inside {% if %}"
        )
    site = _SITE.match(url)
    if site is None or ANY.search(site[0]):
        return "a link leads everybody to one site; {{ … }} can stand only behind it: https://city.example/{{ zip }}"
    if known := sorted(NEVER & {name or "" for name in words.values()}):
        return f"a link's address cannot hold {{{{ {known[0]} }}}}: logs keep addresses, and it says who somebody is"
    return ""


def checked(url: str, *, place: str, line: int | None = None) -> str:
    """An absolute http(s) address in ASCII, or TemplateError that says what is wrong with it."""

    def refuse(problem: str) -> TemplateError:
        return TemplateError(f'the link "{url[:80]}" {problem}', place=place, line=line)

    if not url:
        raise TemplateError("a link has no address", place=place, line=line)
    if len(url) > MAX_URL:
        raise refuse(f"has {len(url):,} characters; at most {MAX_URL:,} arrive safely")
    if _CONTROL.search(url):
        raise refuse("contains a space, a backslash or a control character; write %20 for a space")
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
        ascii_host = host.encode("idna").decode("ascii") if not host.isascii() else host
    except ValueError:
        raise refuse("is not a valid address") from None
    if parts.scheme not in ("http", "https"):
        named = f'begins with "{parts.scheme}:"' if parts.scheme else "does not say https://"
        raise refuse(f"{named}; only https, http, mailto, tel and sms links are possible")
    if not host or ("." not in host.strip(".") and host != "localhost"):
        raise refuse("names no host; write it in full, as in https://city.example/page")
    if parts.username is not None or parts.password is not None:
        raise refuse("contains a user name before the host; mail programs take that for phishing")
    if not _HOST(ascii_host.lower()):
        raise refuse("names a host with characters that no host has")
    netloc = parts.netloc if host.isascii() else parts.netloc.replace(host, ascii_host)
    rest = url.split("//", 1)[1][len(parts.netloc) :]
    return f"{parts.scheme}://{netloc}{quote(rest, safe=_URL_SAFE)}"


_URL_SAFE = "!#$%&'()*+,-./:;=?@[]_~"


def is_ours(url: str, placeholders: Placeholders) -> bool:
    """Whether a protected address is `{{ click_base }}<n>`, an answer's, or a personal one and nothing more."""
    word = ANY.match(url)
    if word is None or (name := placeholders.name_in(word[0])) is None:
        return False
    rest = url[word.end() :]
    if name in (CLICK_BASE, ANSWER_BASE):
        return rest.isdigit()
    return not rest and (name in PERSONAL_URLS or number_in(name) is not None)


def check_result(html: str, placeholders: Placeholders, *, place: str) -> None:
    """The last look: no href but ours, a personal one, mailto, tel, sms or a fragment is left in `html`."""
    for found in _HREF.finditer(html):
        url = unescape(found[2])
        if not is_ours(url, placeholders) and not url.lower().startswith((*_KEPT, "#")):
            raise TemplateError(
                f'the link "{url[:80]}" was not rewritten; write href="…" in double quotes', place=place
            )
