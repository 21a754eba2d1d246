"""A rule as a sentence that can be read aloud before a campaign is approved.

    People who subscribe to “Parking”, whose district is 3 or 4 and who opened no campaign in the last 90 days
    (since August 23, 2026).

Every `not` is carried down to the condition it denies, so that no reader has to do it. Square brackets hold what
belongs together.
"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from outreach.segmentation.fields import Catalogue
from outreach.segmentation.meaning import meaning
from outreach.segmentation.parser import parse
from outreach.segmentation.rules import And, Everyone, Member, Name, Node, Not, Or, Rule
from outreach.segmentation.wording import Wording


def explain(rule: Rule | str, catalogue: Catalogue, language: str = "en", *, now: dt.datetime, zone: ZoneInfo) -> str:
    """The rule as one sentence in English, Spanish or German. Raises RuleError if the rule is wrong."""
    today = now.astimezone(zone).date()
    meaning(rule, catalogue, today=today)
    root = parse(rule).root if isinstance(rule, str) else rule.root
    wording = Wording(catalogue, language, today)
    if isinstance(root, Everyone):
        return wording.say("everybody")
    if isinstance(root, Not) and isinstance(root.part, Everyone):
        return wording.say("nobody")
    return wording.say("sentence", clauses=said(wording, root))


def said(wording: Wording, node: Node, *, no: bool = False) -> str:
    """The clauses of a tree, or of its complement, joined by and and or."""
    match node:
        case Not(part=part):
            return said(wording, part, no=not no)
        case And(parts=parts) | Or(parts=parts):
            word = "and" if isinstance(node, And) != no else "or"
            return wording.listed([_grouped(wording, part, no=no) for part in parts], wording.say(word))
        case Member(group="segment", names=names):
            segments = [_segment(wording, name, no=no) for name in names]
            return wording.listed(segments, wording.say("and" if no else "or"))
        case _:
            return wording.condition(node, no=no)


def _grouped(wording: Wording, node: Node, *, no: bool) -> str:
    clauses = said(wording, node, no=no)
    while isinstance(node, Not):
        node = node.part
    several = isinstance(node, And | Or) or (
        isinstance(node, Member) and node.group == "segment" and len(node.names) > 1
    )
    return f"[{clauses}]" if several else clauses


def _segment(wording: Wording, name: Name, *, no: bool) -> str:
    called = wording.name("segment", name)
    inside = said(wording, parse(wording.catalogue.segments[called]).root)
    return wording.say("segment.no" if no else "segment", name=wording.quoted(called), clauses=inside)
