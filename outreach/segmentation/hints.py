"""Why a rule could not be read, in words: what stands there, what could come next, what was probably meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from outreach.segmentation.errors import RuleError
from outreach.segmentation.grammar import OPERATORS, RESERVED, SAID, SPELLED

_WORD = re.compile(r"[^\W\d][\w'’-]*")
_DAY = re.compile(r"\d{1,2}[./]\d{1,2}[./]\d{2,4}|\d{4}/\d{1,2}/\d{1,2}")
_MONTHS = "(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_MONTH = re.compile(rf"\d{{1,2}}(?:st|nd|rd|th|\.)?\s+{_MONTHS}|{_MONTHS}\.?\s+\d{{1,4}}", re.IGNORECASE)
_QUOTES = "\"'“”„‘’‚«»"
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*"|[“”„«»][^“”„«»\n]*[“”«»]|[‘’‚][^‘’\n]*[‘’]')
_INSTEAD = {
    "unsubscribed": "who left a topic is no longer subscribed: write topic is not …",
    "bounced": "addresses that bounce for good are suppressed: write suppressed",
    "complained": "who complained is suppressed: write suppressed",
}
_PEOPLE = re.compile(
    r"(?:people|subscribers|residents|persons|those|everyone|everybody|all)\s+(?:who|whose|with|that|in)\b",
    re.IGNORECASE,
)
_SECOND_VALUE = re.compile(
    r"(?:(?:is|=|==)|(is\s+not|!=))\s*(?!not\b)([^\s()]+)\s+(?:or|and)\s+([\w-]+\s+)?$", re.IGNORECASE
)
_LIKE_BEFORE = re.compile(r"\b(?:contains?|(?:start|end)s?\s+with)\s*$", re.IGNORECASE)
_LIKE_ALONE = re.compile(r"\b(?:and|or|not)\s+((?:contains|starts|ends)(?:\s+with)?)\s*$", re.IGNORECASE)
_LEFT_UNOPENED = re.compile(
    r"(?:not\s+opened(?:\s+any\s+of)?|opened\s+none\s+of|unopened)\s+(?:the\s+|their\s+|our\s+)?last\s+(\w+)\s+"
    r"(?:campaigns|mails|mailings|e-?mails|messages|newsletters)\b",
    re.IGNORECASE,
)
_NEAR = 150
"""Characters on either side of the place in which its reason is looked for."""
_CLOSE_ENOUGH = 0.6
_SHOWN_CHOICES = 6


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant: almost the same, or the only one that has `word` in it."""
    names = {name.casefold(): name for name in known}
    folded = word.casefold()
    if (first := folded.split(" ")[0]) != folded and first in names:
        return names[first]
    if near := difflib.get_close_matches(folded, names, n=1, cutoff=_CLOSE_ENOUGH):
        return names[near[0]]
    part_of = [name for name in names if len(folded) >= 3 and folded in name]
    return names[part_of[0]] if len(part_of) == 1 else None


def meant(suggestion: str | None, *, quoted: bool = True) -> str:
    """The end of a sentence: `; did you mean "parking"?`, or nothing."""
    if not suggestion:
        return ""
    return f'; did you mean "{suggestion}"?' if quoted else f"; did you mean {suggestion}?"


def unexpected(error: UnexpectedInput, text: str, *, words: Sequence[str] = ()) -> RuleError:
    """lark's complaint as a RuleError."""
    start = error.pos_in_stream if error.pos_in_stream is not None else len(text)
    ended = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    if ended:
        start = len(text.rstrip())
    if ended and not re.sub(r"#[^\n]*", "", text).strip():
        return RuleError("the rule is empty; to choose everybody, write everyone", text=text or " ", start=0, end=1)
    accepted = _accepted(error)
    end = start + (0 if ended else len(_here(text, start)))
    # Patterns look at the neighbourhood only: on a whole hostile text some of them would take minutes.
    left = max(0, start - _NEAR)
    near = text[left : start + _NEAR]
    for explain in (_bracket, _piece, _slip, _swallowed, _name_with_and, _habit):
        looked_at, offset = (text, 0) if explain is _bracket else (near, left)
        if found := explain(looked_at, start - offset, accepted, words):
            message, where, until = found
            return RuleError(message, text=text, start=where + offset, end=until + offset)
    choices = _choices(accepted)
    stands = "the rule ends too early" if ended else f"{_shown(_here(text, start))} cannot stand here"
    following = f"; here could be {choices}" if choices else ""
    return RuleError(f"{stands}{following}", text=text, start=start, end=end)


_Found = tuple[str, int, int] | None


def _habit(text: str, start: int, accepted: frozenset[str], _words: Sequence[str]) -> _Found:
    """Things people write out of habit."""
    here = text[start:]
    line_start = text.rfind("\n", 0, start) + 1
    for dated in (_DAY, _MONTH):
        for found in dated.finditer(text, line_start):
            if found.start() <= start < found.end() + 1:
                return "dates are written year-month-day, like 2026-03-31", found.start(), found.end()
    if here[:1] and here[0] in _QUOTES and not _QUOTED.match(here):
        return "this quote is never closed", start, start + 1
    if year := re.search(r"(?:joined|during|in)\s+((?:19|20)\d\d)\b(?!-)", text[line_start : start + 5]):
        which = f"between {year[1]}-01-01 and {year[1]}-12-31"
        return f"for a whole year, write {which}", start, start + len(_here(text, start))
    if unnamed := _unnamed(text, start, accepted, _words):
        return unnamed
    if re.match(r"hours?\b|minutes?\b", here, re.IGNORECASE):
        return "the smallest unit is a day; write days, weeks, months or years", start, start + len(_here(text, start))
    if {"UNIT", "AGO"} & accepted and (year := re.search(r"(?:before|after|since|on)\s+(\d{4})\s*$", text[:start])):
        return "dates are written year-month-day, like 2026-03-31", *year.span(1)
    if left := _LEFT_UNOPENED.search(text, line_start):
        return f"write ignored the last {left[1]} campaigns", *left.span()
    if people := _PEOPLE.match(text):
        return stray(people[0]), *people.span()
    if reverse := re.search(r"(?:from|of|by)\s+(?:the\s+)?(\w[\w\s-]*?)\s+department\b", text, re.IGNORECASE):
        return f'write the department\'s name behind it: from department "{reverse[1]}"', *reverse.span()
    word = _here(text, start)
    if several := re.search(r"(?:is|=|==)\s*([^\s(),]+)\s*$", text[:start] if word == "," else "", re.IGNORECASE):
        return f"to allow several values, write in ({several[1]}, …)", start, start + 1
    if before := _SECOND_VALUE.search(text[:start]):
        listed = f"{'not ' if before[1] else ''}in ({before[2]}, {before[3] or ''}{word})"
        return f"to allow several values, write {listed}", start, start + len(word)
    before = re.search(r"([\w-]+)\s*$", text[:start])
    if before and before[1].lower() in RESERVED - OPERATORS and re.match(r"(?:is|=|[<>])", here, re.IGNORECASE):
        return f'"{before[1]}" is a word of the language; if a field is called so, write it in quotes', *before.span(1)
    if word.lower() in ("it", "them", "these", "those"):
        return f'say again what "{word}" is, as in opened campaign …', start, start + len(word)
    if "AND" in accepted and _WORD.match(word) and word.lower() not in ("is", "in", "or", "the"):
        return f'"{word}" cannot stand here; and or or may be missing before it', start, start + len(word)
    return None


def _unnamed(text: str, start: int, accepted: frozenset[str], words: Sequence[str]) -> _Found:
    """A name without the word that says what it is, or a value without `is`."""
    quoted = _QUOTED.match(text[start:])
    here = quoted[0] if quoted else _here(text, start)
    end = start + len(here)
    verb = re.search(r"\b(opened|clicked|received)\s*$", text[:start], re.IGNORECASE)
    if verb and (quoted or here.casefold() in {word.casefold() for word in words}):
        name = f'"{here.strip(_QUOTES)}"'
        return f"say what {name} is: {verb[1].lower()} campaign …, about topic … or from department …", start, end
    before = re.search(r"([^\W\d][\w'’-]*)\s*$", text[:start])
    if before and before[1].lower() in ("during", "in"):
        return None
    if before and before[1].lower() == "like":
        return "write contains, starts with or ends with instead of like", *before.span(1)
    if before and "IS" in accepted and "VERB" not in accepted and (quoted or here[:1].isdigit()):
        return f"a word is missing: write {before[1]} is {here}", start, end
    if here.lower() == "in" and "IN_KIND" in accepted:
        return "write in segment …, or the field before it, as in district in (3, 4)", start, end
    return None


def _bracket(text: str, start: int, accepted: frozenset[str], _words: Sequence[str]) -> _Found:
    here = text[start:].strip()
    if here[:1] == ")" and "RPAR" not in accepted and text[:start].count("(") < text[: start + 1].count(")"):
        return "this bracket closes nothing", start, start + 1
    if not here and "RPAR" in accepted and text.count("(") > text.count(")"):
        opened = _unclosed(text)
        return "this bracket is never closed", opened, opened + 1
    return None


def _unclosed(text: str) -> int:
    held = []
    for at, character in enumerate(text):
        if character == "(":
            held.append(at)
        elif character == ")" and held:
            held.pop()
    return held[-1] if held else 0


def _piece(text: str, start: int, _accepted: frozenset[str], _words: Sequence[str]) -> _Found:
    """What a text contains or ends with, without quotes, or without the field before it."""
    if alone := _LIKE_ALONE.search(text[:start]):
        return f"say the field again before {alone[1]}", *alone.span(1)
    here = re.match(r"[^\s(),]+", text[start:])
    if here and here[0][0] not in _QUOTES and _LIKE_BEFORE.search(text[:start]):
        return f'put the text in quotes: "{here[0][:40]}"', start, start + len(here[0])
    return None


def _slip(text: str, start: int, accepted: frozenset[str], _words: Sequence[str]) -> _Found:
    """One mistyped word of the language."""
    found = _WORD.match(text, start)
    if found is None:
        return None
    near = _spelled_like(found[0], accepted)
    return (f'"{found[0]}" cannot stand here{meant(near, quoted=False)}', start, found.end()) if near else None


def _swallowed(text: str, start: int, _accepted: frozenset[str], _words: Sequence[str]) -> _Found:
    """A mistyped `and` taken for part of the name before it: `topic is parking an district is 4`."""
    head = text[:start]
    line = re.search(r"(?:[^\W\d][\w'’-]*\s+)+$", head)
    if line is None:
        return None
    for found in list(_WORD.finditer(head, line.start()))[1:]:
        if found[0].lower() in RESERVED:
            continue
        near = _spelled_like(found[0], frozenset({"AND", "OR", "WITHIN", "BEFORE"}), cutoff=0.75)
        if near and near != found[0].lower():
            return f'"{found[0]}" cannot stand here{meant(near, quoted=False)}', found.start(), found.end()
    return None


def _name_with_and(text: str, start: int, _accepted: frozenset[str], words: Sequence[str]) -> _Found:
    """A name that has an `and`, a number or a sign in it, written without quotes."""
    folded = text.casefold()
    if len(folded) != len(text):
        return None
    for name in sorted(words, key=len, reverse=True):
        at = folded.find(name.casefold())
        if (
            at >= 0
            and at <= start <= at + len(name)
            and text[max(0, at - 1) : at] not in tuple(_QUOTES)
            and _awkward(name)
        ):
            return f'this name needs quotes around it: "{name}"', at, at + len(name)
    return None


def _awkward(name: str) -> bool:
    """Whether the words of a name could be taken for something else than a name."""
    words = name.split()
    return len(words) > 1 and any(not _WORD.fullmatch(word) or word.lower() in RESERVED for word in words)


def _spelled_like(word: str, accepted: frozenset[str], *, cutoff: float = _CLOSE_ENOUGH) -> str | None:
    spelled = [one for terminal in SPELLED if terminal in accepted for one in SPELLED[terminal]]
    near = difflib.get_close_matches(word.lower(), spelled, n=1, cutoff=cutoff)
    return near[0] if near else None


def _accepted(error: UnexpectedInput) -> frozenset[str]:
    """The terminals that could really stand there; lark's own list has some that only seem to."""
    if isinstance(error, UnexpectedToken | UnexpectedCharacters) and error.interactive_parser is not None:
        return frozenset(error.interactive_parser.accepts())  # type: ignore[no-untyped-call]  # lark has no hint here
    return frozenset()


def _choices(accepted: frozenset[str]) -> str:
    silent = {"UNIT"} if "AND" in accepted else set()  # after "district is 3" hardly anybody means 3 days ago
    said = dict.fromkeys(SAID[terminal] for terminal in SAID if terminal in accepted - silent and SAID[terminal])
    choices = list(said)
    if len(choices) > _SHOWN_CHOICES:
        choices = [*choices[: _SHOWN_CHOICES - 1], "…"]
        return ", ".join(choices)
    return " or ".join(filter(None, (", ".join(choices[:-1]), choices[-1]))) if choices else ""


def _here(text: str, start: int) -> str:
    """The word, number or sign that stands at `start`."""
    found = re.compile(r"[\w'’-]+|[^\w\s]").match(text, start)
    return found[0] if found else text[start : start + 1]


def _shown(word: str) -> str:
    return f'"{word[:40]}"' if word and word.isprintable() else "this"


def stray(name: str) -> str:
    """What to say about unknown words that stand where a condition could begin."""
    if _PEOPLE.match(name):
        return "leave out who it is about and begin with the condition, as in opened within 90 days"
    first, _, rest = name.casefold().partition(" ")
    if first in ("no", "without") and rest:
        return f"for nothing known, write {rest.replace(' ', '_')} is unknown"
    return _INSTEAD.get(name.casefold(), "")


def needs_quotes(error: RuleError, text: str, words: Iterable[str]) -> RuleError:
    """The same error, unless it came from a name with an `and` or a sign in it that stands without quotes."""
    found = _name_with_and(text, error.start, frozenset(), tuple(words))
    return RuleError(found[0], start=found[1], end=found[2]) if found else error
