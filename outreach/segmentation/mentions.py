"""What a rule names: the topics whose consent it is about, and the segments it is made of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from outreach.segmentation.errors import RuleError
from outreach.segmentation.fields import Catalogue, Topic
from outreach.segmentation.parser import parse
from outreach.segmentation.printing import canonical
from outreach.segmentation.rules import And, Condition, Member, Node, Not, Or, Rule


def topics_of(rule: Rule, catalogue: Catalogue) -> tuple[Topic, ...]:
    """The topics that a rule names itself, in its order."""
    names = [
        name
        for node in conditions(rule.root)
        if isinstance(node, Member) and node.group == "topic"
        for name in node.names
    ]
    return tuple(dict.fromkeys(catalogue.topic_named(name) for name in names))


def segments_of(rule: Rule | str, catalogue: Catalogue) -> dict[str, str]:
    """The segments a rule is made of, with those they name in turn, and their texts. None for a rule that is wrong."""
    found: dict[str, str] = {}
    waiting = [rule]
    try:
        while waiting:
            one = waiting.pop()
            root = parse(one).root if isinstance(one, str) else one.root
            for node in conditions(root):
                if isinstance(node, Member) and node.group == "segment":
                    fresh = {catalogue.segment_named(name) for name in node.names} - found.keys()
                    found |= {name: catalogue.segments[name] for name in fresh}
                    waiting += [catalogue.segments[name] for name in fresh]
    except RuleError:
        return {}
    return dict(sorted(found.items()))


def rule_hash(rule: str, catalogue: Catalogue) -> str:
    """SHA-256 over what a rule says, its segments' texts included: comments and line breaks make no difference."""
    said = {name: canonical(parse(text)) for name, text in segments_of(rule, catalogue).items()}
    return hashlib.sha256(json.dumps([canonical(parse(rule)), said], sort_keys=True).encode()).hexdigest()


def conditions(node: Node) -> Iterator[Condition]:
    """Every condition of a tree, in its order."""
    match node:
        case Not(part=part):
            yield from conditions(part)
        case And(parts=parts) | Or(parts=parts):
            for part in parts:
                yield from conditions(part)
        case _:
            yield node
