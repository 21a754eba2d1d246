"""The names an MJML source may use. The engine accepts any in silence, so that a misspelt one would just do nothing.

HTML inside MJML is what mail programs show and scanners accept: no scripts, forms, frames or objects.
"""

from __future__ import annotations

from typing import Final


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


MJML_TAGS: Final = _names("""
    mjml mj-head mj-body mj-attributes mj-all mj-class mj-breakpoint mj-font mj-preview mj-style mj-title mj-raw
    mj-section mj-column mj-group mj-wrapper mj-text mj-button mj-image mj-divider mj-spacer mj-table mj-hero
    mj-social mj-social-element mj-navbar mj-navbar-link
""")

HTML_TAGS: Final = _names("""
    a abbr b blockquote br center code div em font h1 h2 h3 h4 h5 h6 hr i img li meta ol p pre s small span strong sub
    sup table tbody td tfoot th thead tr u ul
""")

VOID_TAGS: Final = _names("br hr img meta")

ATTRIBUTES: Final = _names("""
    align alt aria-describedby aria-hidden aria-label aria-level background-color background-height
    background-position background-repeat background-size background-url background-width bgcolor border
    border-bottom border-collapse border-color border-left border-radius border-right border-spacing border-style
    border-top border-width cellpadding cellspacing class color colspan column-width container-background-color
    content css-class dir direction fluid-on-mobile font-family font-size font-style font-weight full-width height
    href icon-height icon-padding icon-position icon-size id inline inner-background-color inner-border
    inner-border-radius inner-padding lang letter-spacing line-height max-height max-width media mode name padding
    padding-bottom padding-left padding-right padding-top rel role rowspan scope sizes src srcset start style
    table-layout target text-align text-decoration text-padding text-transform title valign vertical-align width
    word-spacing
""")
