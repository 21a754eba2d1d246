"""The foot of the message: who writes, from where, and the way out, in both parts and in plain sight."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from selectolax.lexbor import LexborHTMLParser

from outreach.preflight.draft import City, Draft
from outreach.preflight.findings import Finding, Severity
from outreach.rendering.expressions import always_says

CHECK: Final = "footer"
_HIDDEN = re.compile(r"display:\s*none|visibility:\s*hidden|opacity:\s*0(?![.\d])")
_SIZE = re.compile(r"font-size:\s*([\d.]+)")


def check(draft: Draft, city: City) -> Iterator[Finding]:
    message = draft.message
    if message is None:
        return
    place = draft.template_place
    if not city.postal_address.strip():
        yield Finding(
            CHECK, Severity.BLOCK, "outreach.toml, organisation.address", "there is no postal address to print",
            'write address = "1 Main Street, …" under [organisation]; the law asks for it at the foot of every mail',
        )  # fmt: skip
    elif "postal_address" not in message.html and city.postal_address not in message.html:
        yield Finding(
            CHECK,
            Severity.BLOCK,
            place,
            "the postal address is not printed",
            "put {{ postal_address }} into the layout",
        )
    if "unsubscribe_url" not in message.html:
        yield Finding(
            CHECK, Severity.BLOCK, place, "there is no way to unsubscribe",
            'put <a href="{{ unsubscribe_url }}">{{ leave }}</a> into the layout',
        )  # fmt: skip
    elif not always_says(message.html, "unsubscribe_url"):
        yield Finding(
            CHECK, Severity.BLOCK, place, "there is a way to unsubscribe for some people only",
            "put it outside {% if … %}; everybody needs one",
        )  # fmt: skip
    elif _hidden(message.html):
        yield Finding(
            CHECK, Severity.BLOCK, place, "the way to unsubscribe is hidden", "show it: what hides it counts as spam"
        )
    if "organisation" not in message.html:
        yield Finding(
            CHECK, Severity.WARN, place, "it does not say who writes", "put {{ organisation }} into the layout"
        )


def _hidden(html: str) -> bool:
    for link in LexborHTMLParser(html).css("a"):
        if "unsubscribe_url" in (link.attributes.get("href") or ""):
            node, sized = link, False
            while node is not None:
                style = (node.attributes.get("style") or "").lower()
                size = None if sized else _SIZE.search(style)  # only the nearest counts
                if _HIDDEN.search(style) or (size and float(size[1]) <= 2):
                    return True
                sized |= size is not None
                parent = node.parent
                if parent is None or parent.tag in ("-document", "html"):
                    break
                node = parent
    return False
