"""Whom we write to, said in a sentence: rules, read, checked, compiled, counted and explained.

    catalogue = load_catalogue(connection, segments=texts(load_segments(folder)))
    chosen = compile_rule('district in (3, 4) and opened within 90 days', catalogue, now=now, zone=zone)
    count(connection, chosen)

`docs/segments.md` is the language; grammar.py its grammar; rules.py the tree; meaning.py what it asks; sql.py and
person.py the two that answer, always alike.
"""

from outreach.segmentation.catalogue import load_catalogue
from outreach.segmentation.clauses import Clause, clauses
from outreach.segmentation.counting import PREVIEW_SECONDS, TooSlow, count, select_ids
from outreach.segmentation.errors import RuleError
from outreach.segmentation.explain import explain
from outreach.segmentation.facts import find_person, load_person
from outreach.segmentation.fields import Catalogue, Field, Topic, Type
from outreach.segmentation.files import Segment, load_segments, named_or_written, read_segment, texts
from outreach.segmentation.json_form import from_json, to_json
from outreach.segmentation.meaning import check
from outreach.segmentation.parser import parse
from outreach.segmentation.person import Person, evaluate
from outreach.segmentation.printing import canonical
from outreach.segmentation.rules import Rule
from outreach.segmentation.sql import compile_rule

__all__ = [
    "PREVIEW_SECONDS",
    "Catalogue",
    "Clause",
    "Field",
    "Person",
    "Rule",
    "RuleError",
    "Segment",
    "TooSlow",
    "Topic",
    "Type",
    "canonical",
    "check",
    "clauses",
    "compile_rule",
    "count",
    "evaluate",
    "explain",
    "find_person",
    "from_json",
    "load_catalogue",
    "load_person",
    "load_segments",
    "named_or_written",
    "parse",
    "read_segment",
    "select_ids",
    "texts",
    "to_json",
]
