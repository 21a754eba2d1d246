"""The grammar of rules, whole: one LALR(1) grammar for lark, and what its words are called in an error.

    topic is "parking" and district in (3, 4) and language is "es" and not opened within 90 days
    clicked at least 3 times from department Parks within 30 days
    in segment engaged and (zip is known or ward is "north") and not received within 3 days
    ignored the last 5 campaigns about topic parking

Staff write what they would say, so that a word has several spellings (`=`, `is`, `equals`; `opened in the last
90 days`, `opened within 90 days`); the printed form of a tree uses one. A keyword is a keyword only where it can
stand: `topic is received` is about a topic called "received".
"""

from __future__ import annotations


def _words(*patterns: str) -> str:
    """A terminal for whole words, whatever their case; a space stands for any white space."""
    return "/(?:" + "|".join(pattern.replace(" ", r"\s+") for pattern in patterns) + r")(?![\w-])/i"


NUMBER_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_NUMBER = rf"(?:\d|(?:{'|'.join(NUMBER_WORDS)})\b)"
_PERIOD = r"(?:day|week|month|year)s?"
_MAILS = "campaigns?|mails?|mailings?|e-?mails?|messages?|newsletters?|links?"

KEYWORDS = {
    "AND": (3, "/(?:(?:and|but)(?![\\w-])|&&?)/i"),
    "OR": (3, "/(?:or(?![\\w-])|\\|\\|?)/i"),
    "NOT": (3, "/(?:(?:not|never)(?![\\w-])|!(?!=))/i"),
    "EVERYONE": (3, _words("everyone", "everybody", "anyone", "anybody", "all(?: (?:subscribers|residents|people))?")),
    "KIND": (3, _words("topics?", "departments?", "segments?")),
    "IN_KIND": (5, _words("(?:are |is )?in (?:the )?(?:segment|department|topic)s?")),
    "SUBSCRIBED": (3, _words("(?:are |is )?subscribed to", "subscribes? to")),
    "SUPPRESSED": (3, _words("(?:are |is )?suppressed", "on (?:the )?suppression list")),
    "HAS": (3, _words("has", "have", "had", "did", "do", "does", "was", "were")),
    "HAS_NOT": (4, _words("(?:has|have|had|did|do|does|was|were)n['’]?t")),
    "VERB": (
        3,
        _words(
            "open(?:ed)?",
            "click(?:ed)?(?: on(?! (?:\\d|today|yesterday)))?",
            "received?",
            "got",
            "(?:was |were )?mailed",
        ),
    ),
    "IGNORED": (3, _words("ignored?(?: the)?")),
    "IGNORED_LAST": (
        4,
        _words(rf"ignored?(?: the)? last(?! (?:(?:\d+|{'|'.join(NUMBER_WORDS)}) )?{_PERIOD}(?![\w-]))"),
    ),
    "IS": (3, "/(?:(?:is|are|equals?)(?![\\w-])|==?(?![<>]))/i"),
    "IS_NOT": (4, "/(?:!=|<>|≠|(?:is|are)n['’]?t(?![\\w-]))/i"),
    "IN": (3, _words("in", "(?:one|any) of")),
    "NEITHER": (4, _words("neither")),
    "NOR": (3, _words("nor")),
    "KNOWN": (3, _words("known", "set", "unknown", "empty", "missing", "blank")),
    "DOES_NOT": (4, _words("does not", "doesn['’]?t", "do not", "don['’]?t")),
    "LIKE": (3, _words("contains?", "starts? with", "ends? with")),
    "COMPARE": (3, "/>=|=>|≥|<=|=<|≤|>|</"),
    "AMOUNT": (
        4,
        _words("at least", "at most", "(?:more|less|fewer|greater) than", "over", "under", "above", "below", "exactly"),
    ),
    "BETWEEN": (3, _words("between")),
    "WITHIN": (
        5,
        "/(?:"
        + "|".join(
            pattern.replace(" ", r"\s+")
            for pattern in (
                r"within(?: the)?(?: (?:last|past|previous))?(?![\w-])",
                rf"(?:in|during|over|for) the (?:last|past|previous)(?= (?:{_NUMBER}|{_PERIOD}))",
                rf"(?:in |during |over |for )?(?:the )?(?:last|past|previous)(?= {_NUMBER})",
                rf"(?:in|for)(?= (?:\d+|{'|'.join(NUMBER_WORDS)}) {_PERIOD})",
            )
        )
        + ")/i",
    ),
    "PERIOD": (4, _words("(?:in |during )?(?:this|last|previous) (?:week|month|year)")),
    "BEFORE": (3, _words("before", "after", "since", "on")),
    "AGO": (3, _words("ago")),
    "DAY_WORD": (4, _words("today", "yesterday")),
    "UNIT": (3, _words("days?", "weeks?", "months?", "years?")),
    "ONCE": (5, _words("once", "twice", rf"(?:1|one|a single) (?:time|{_MAILS.replace('s?', '')})")),
    "OR_MORE": (5, "/(?:or\\s+more(?![\\w-])|\\+)/i"),
    "TIMES": (3, _words("times?")),
    "MAILS": (3, _words(_MAILS)),
    "ANYTHING": (6, _words(rf"(?:any|an?|some) (?:{_MAILS})", "anything", "something", _MAILS.replace("s?", "s"))),
    "SCOPE": (
        5,
        _words("(?:(?:from|of|by|about|on|in|for|to) )?(?:any )?(?:the )?(?:department|topic|campaign)"),
    ),
    "NOTHING": (6, _words(rf"no (?:{_MAILS})", "nothing", "none")),
    "EXCEPT": (3, _words("except(?: for)?(?: those)?")),
    "NUMBER_WORD": (3, _words(*NUMBER_WORDS, "an?")),
    "FROM": (3, _words("(?:from|by)(?: the)?")),
    "ABOUT": (3, _words("about")),
    "YESNO": (3, _words("yes", "no", "true", "false")),
}

GRAMMAR = r"""
?start: or_
?or_: and_ (_or and_)*              -> any_of
?and_: unary (_and unary | excepted)* -> all_of
excepted: EXCEPT unary              -> negated
?unary: _not unary                  -> negated
      | "(" or_ ")"                 -> bracketed
      | condition
_or: OR
_and: AND
_not: NOT

?condition: EVERYONE                                        -> everyone
    | SUPPRESSED                                            -> suppressed
    | KIND IS? value                                        -> member
    | KIND (IS NOT | IS_NOT) value                          -> not_member
    | KIND IS? IN values                                    -> member
    | KIND IS? NOT IN values                                -> not_member
    | IN_KIND values                                        -> member
    | SUBSCRIBED KIND? values                               -> member
    | HAS? VERB ANYTHING? part*                             -> did
    | (HAS NOT | HAS_NOT) VERB ANYTHING? part*              -> did_not
    | HAS? VERB NOTHING part*                               -> did_not
    | HAS? (IGNORED | IGNORED_LAST) (int MAILS? | MAILS) during* -> ignored
    | HAS? IGNORED during+                                  -> ignored
    | field                                                 -> flag
    | field IS value                                        -> equal
    | field (IS NOT | IS_NOT) value                         -> unequal
    | field IS? NOT? IN values                              -> one_of
    | field IS NOT? KNOWN                                   -> known
    | field COMPARE value                                   -> compare
    | field IS? AMOUNT amount                               -> compare
    | field IS? NOT? BETWEEN value AND value                -> between
    | field (IS? NOT? | DOES_NOT) LIKE values               -> like
    | field IS NEITHER value (NOR value)+                   -> neither
    | field IS? NOT? window                                 -> when
    | field NOT? DAY_WORD                                   -> on_that_day

?part: count | during
?during: scope | window | days
count: (AMOUNT | COMPARE) int (TIMES | MAILS)? | int OR_MORE? (TIMES | MAILS) | AMOUNT? ONCE
scope: SCOPE text | FROM text | ABOUT text
?window: WITHIN int? UNIT                -> within
    | PERIOD                            -> period
    | BEFORE date                       -> dated
    | AMOUNT int UNIT AGO               -> long_ago
?days: DAY_WORD                         -> on_day
    | BETWEEN date AND date             -> between_dates

field: word+ | STRING
text: STRING | word+                    -> words
value: STRING | INT | NUMBER | CODE | YESNO | DATE | DAY_WORD | INT UNIT AGO | word+ -> value
amount: (INT | NUMBER | DATE)           -> value
date: (DATE | DAY_WORD | int UNIT AGO)  -> value
?word: NAME
?int: INT | NUMBER_WORD
values: "(" value (("," | OR) value)* ")" | "[" value (("," | OR) value)* "]" | value ("," value)*

DATE.6: /\d{4}-\d\d?-\d\d?(?![\w-])/
CODE.5: /(?:\d[\w-]*[^\W\d_][\w-]*|\d+(?:-\d+)+|[\w.+-]*@[\w-]+(?:\.[\w-]+)*)/
NUMBER.4: /-?\d+\.\d+(?!\w)|-\d+(?!\w)/
INT.3: /\d+(?!\w)/
STRING.3: /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|[“”„«»][^“”„«»\n]*[“”«»]|[‘’‚][^‘’\n]*[‘’]/
NAME: /(?!(?:and|or|not|but|is|in)(?![\w-]))[^\W\d]\w*(?:[-.'’]\w+)*/i
%ignore /\s+|#[^\n]*/
"""

GRAMMAR += "\n".join(f"{name}.{priority}: {pattern}" for name, (priority, pattern) in KEYWORDS.items())

SAID = {
    "NAME": "a name",
    "STRING": 'a "text in quotes"',
    "INT": "a number",
    "NUMBER": "a number",
    "MAILS": "campaigns",
    "CODE": "",
    "YESNO": "yes or no",
    "DATE": "a date like 2026-03-31",
    "DAY_WORD": "today",
    "IS": "is",
    "IS_NOT": "is not",
    "IN": "in",
    "NOTHING": "",
    "EXCEPT": "",
    "NEITHER": "",
    "NOR": "",
    "NUMBER_WORD": "",
    "KNOWN": "known or unknown",
    "DOES_NOT": "",
    "LIKE": "contains or starts with",
    "COMPARE": "<, <=, > or >=",
    "AMOUNT": "at least or at most",
    "BETWEEN": "between",
    "WITHIN": "within",
    "PERIOD": "this month",
    "BEFORE": "before, after, since or on",
    "AGO": "ago",
    "UNIT": "days, weeks, months or years",
    "ONCE": "once",
    "OR_MORE": "",
    "TIMES": "times",
    "ANYTHING": "",
    "SCOPE": "from department, about topic",
    "FROM": "",
    "ABOUT": "",
    "KIND": "topic, department or segment",
    "IN_KIND": "",
    "SUBSCRIBED": "",
    "SUPPRESSED": "suppressed",
    "HAS": "",
    "HAS_NOT": "",
    "VERB": "opened, clicked or received",
    "IGNORED": "ignored",
    "IGNORED_LAST": "",
    "EVERYONE": "everyone",
    "AND": "and",
    "OR": "or",
    "NOT": "not",
    "LPAR": "(",
    "RPAR": ")",
    "LSQB": "",
    "RSQB": "",
    "COMMA": "a comma",
    "$END": "the end of the rule",
}
"""What each terminal is called when we say what could come next; an empty one goes without saying."""

SPELLED = {
    "AND": ("and",),
    "OR": ("or",),
    "NOT": ("not", "never"),
    "IS": ("is",),
    "IN": ("in",),
    "KNOWN": ("known", "unknown", "empty"),
    "LIKE": ("contains", "starts with", "ends with"),
    "AMOUNT": ("at least", "at most", "more than", "fewer than", "exactly"),
    "BETWEEN": ("between",),
    "WITHIN": ("within",),
    "BEFORE": ("before", "after", "since", "on"),
    "AGO": ("ago",),
    "UNIT": ("days", "weeks", "months", "years"),
    "TIMES": ("times",),
    "MAILS": ("campaigns",),
    "SCOPE": ("department", "topic", "campaign"),
    "FROM": ("from",),
    "ABOUT": ("about",),
    "KIND": ("topic", "department", "segment"),
    "SUPPRESSED": ("suppressed",),
    "VERB": ("opened", "clicked", "received"),
    "IGNORED": ("ignored",),
    "EVERYONE": ("everyone",),
}
"""Words a mistyped one may have been meant for."""

OPERATORS = frozenset({"and", "or", "not", "but", "never"})
RESERVED = frozenset(
    """and or not never but everyone everybody anyone anybody all topic topics department departments segment segments
    in is are on suppressed subscribed has have had did do does was were open opened click clicked receive received got
    mailed ignore ignored""".split()  # noqa: SIM905 (a list of words reads better as words)
)
"""A field of this name has to stand in quotes."""
