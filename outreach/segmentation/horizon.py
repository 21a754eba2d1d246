"""Where knowledge begins: a rule that asks about days before the first known event is told so when it is counted.

A city that moved here in March cannot ask who opened nothing within a year: for most of that year nothing is known,
and nothing known looks like nothing opened. `outreach engagement import` moves the beginning.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

from outreach.segmentation.days import first_and_end
from outreach.segmentation.fields import Catalogue
from outreach.segmentation.mentions import conditions, segments_of
from outreach.segmentation.parser import parse
from outreach.segmentation.rules import Did, Rule, Verb
from outreach.segmentation.wording import Wording

Known = Mapping[str, dt.date | None]
"""The first day that anything is known of, for each verb; None: nothing is."""


def beyond(rule: Rule | str, catalogue: Catalogue, known: Known, language: str, *, today: dt.date) -> list[str]:
    """One sentence for each verb whose window reaches back further than is known, in the rule or a segment it names."""
    wording = Wording(catalogue, language, today)
    found: dict[str, str] = {}
    for verb, first in _windows(rule, catalogue, today=today):
        begins = known.get(verb)
        if begins is None:
            found[verb] = wording.say(f"horizon.{verb}.none")
        elif first is None or first < begins:
            found[verb] = wording.say(f"horizon.{verb}", day=wording.day(begins))
    return list(found.values())


def _windows(rule: Rule | str, catalogue: Catalogue, *, today: dt.date) -> Iterator[tuple[Verb, dt.date | None]]:
    """What is asked, and the first day it is asked of; None: as long ago as you like."""
    trees = [parse(rule) if isinstance(rule, str) else rule]
    trees += [parse(text) for text in segments_of(rule, catalogue).values()]
    for tree in trees:
        for node in conditions(tree.root):
            if isinstance(node, Did) and node.window is not None:
                yield node.verb, first_and_end(node.window, today=today)[0]
