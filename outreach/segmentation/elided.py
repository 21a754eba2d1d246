"""What is said once and meant twice: `opened or clicked within 90 days` would ask for opens of all time.

English lets a listener fill it in; a rule must not guess. Brackets, `(opened) or clicked within 90 days`, say that it
is meant as it stands.
"""

from __future__ import annotations

from dataclasses import dataclass

from outreach.segmentation.rules import Did, Node, Not

_SEEN = ("opened", "clicked")


@dataclass(frozen=True, slots=True)
class Bracketed:
    """A condition that stood in brackets of its own; gone once the tree is built."""

    node: Node


def bare(part: Node | Bracketed) -> Node:
    return part.node if isinstance(part, Bracketed) else part


def elided(before: Node | Bracketed, after: Node | Bracketed) -> tuple[Did, Did] | None:
    """The two verbs, if one of these neighbours seems to lack what the other has."""
    one, other = _did(before), _did(after)
    if one is None or other is None or one.verb == other.verb:
        return None
    if _alone(one) and (other.window or other.scope) and one.verb in _SEEN and other.verb in _SEEN:
        return one, other
    of_campaign = one.scope is not None and one.scope.kind == "campaign"
    return (one, other) if of_campaign and _alone(other) and other.verb in _SEEN else None


def _did(part: Node | Bracketed) -> Did | None:
    inner = part.part if isinstance(part, Not) else part
    return inner if isinstance(inner, Did) else None


def _alone(node: Did) -> bool:
    return node.count is None and node.scope is None and node.window is None
