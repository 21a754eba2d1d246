"""Every message a person may meet while writing a rule, with the column of its caret."""

from __future__ import annotations

import pytest

from outreach.segmentation import Catalogue, Field, RuleError, Topic, Type, check

CATALOGUE = Catalogue(
    fields={
        **Catalogue().fields,
        "age": Field("age", Type.NUMBER, "n2"),
        "ward": Field("ward", Type.CHOICE, "t3", ("north", "south")),
        "moved": Field("moved", Type.DATE, "d1"),
        "open": Field("open", Type.YESNO, "n3"),
    },
    topics=(Topic(1, "Parking", 1), Topic(2, "Parks and trails", 2), Topic(3, "Parking & street sweeping", 1)),
    departments={"Parks": 2, "Public Works": 1},
    campaigns={"parking-3": 3},
    segments={
        "engaged": "opened within 90 days",
        "here": "in segment there",
        "there": "renter or\n in segment here",
        "broken": "distrct is 3",
    },
)

WHAT_IS_WRONG = [
    # the sentence breaks down
    ("", 1, "the rule is empty; to choose everybody, write everyone"),
    ("  # nothing but a comment", 1, "the rule is empty; to choose everybody, write everyone"),
    ("district is", 12, 'the rule ends too early; here could be a name, a "text in quotes", a number'),
    ("opened at least", 16, "the rule ends too early; here could be a number or once"),
    ("joined before", 14, "the rule ends too early; here could be a number, a date like 2026-03-31 or today"),
    (
        "ignored",
        8,
        "the rule ends too early; here could be a number, campaigns, today, at least or at most",
    ),
    ("(district is 3", 1, "this bracket is never closed"),
    ("district is 3)", 14, "this bracket closes nothing"),
    ('zip is "972', 8, "this quote is never closed"),
    ("district is 3 renter", 15, '"renter" cannot stand here; and or or may be missing before it'),
    ("and renter", 1, '"and" cannot stand here; here could be a name'),
    ("renter and and renter", 12, '"and" cannot stand here; here could be a name'),
    ("district in ()", 14, '")" cannot stand here; here could be a name'),
    ("zip is 1; drop table profile", 9, '";" cannot stand here; here could be and, or'),
    ("people who opened", 1, "leave out who it is about and begin with the condition"),
    ("open is yes", 1, '"open" is a word of the language; if a field is called so, write it in quotes'),
    ("zip is \x001", 8, "there is an invisible character (U+0000) here; type this part again"),
    # words that were meant
    ("opened within 90 dyas", 18, '"dyas" cannot stand here; did you mean days?'),
    ("opened 3 tims", 10, '"tims" cannot stand here; did you mean times?'),
    ("topic is parking an renter is yes", 18, '"an" cannot stand here; did you mean and?'),
    ("opened within 3 hours", 17, "the smallest unit is a day; write days, weeks, months or years"),
    ("opened from the Parks department", 8, 'write the department\'s name behind it: from department "Parks"'),
    ("topic is parking, road works", 17, "to allow several values, write in (parking, …)"),
    ("people in district 3", 1, "leave out who it is about and begin with the condition"),
    ("phone exists", 1, 'no field is called "phone exists"; did you mean "phone"?'),
    ("district is 3 or 4", 18, "to allow several values, write in (3, 4)"),
    ("topic is parking or road works", 21, "; if it is a second value, write in (…, …)"),
    ("topic is parking or roads", 21, "; if it is a second value, write in (…, …)"),
    ("topic is Parks and trails", 10, 'this name needs quotes around it: "Parks and trails"'),
    ("topic is Parking & street sweeping", 10, 'this name needs quotes around it: "Parking & street sweeping"'),
    # names
    ("engaged", 1, '"engaged" is not a field; write in segment "engaged"'),
    ("renter and parking", 12, '"Parking" is not a field; write topic is "Parking"'),
    ("opend within 9 days", 1, 'no field is called "opend"; did you mean "opened"?'),
    ("distrct is 4", 1, 'no field is called "distrct"; did you mean "district"?'),
    ("dіstrict is 4", 1, 'no field is called "dіstrict"; did you mean "district"?'),
    ("topic is parkng", 10, 'no topic is called "parkng"; did you mean "Parking"?'),
    ("topic is sweeping", 10, 'no topic is called "sweeping"; did you mean "Parking & street sweeping"?'),
    ("topic is garbage", 10, 'no topic is called "garbage"; there are Parking, Parking & street sweeping'),
    ("department is Park", 15, 'no department is called "Park"; did you mean "Parks"?'),
    ("in segment engagd", 12, 'no segment is called "engagd"; did you mean "engaged"?'),
    ("received campaign parking-4", 19, 'no campaign is called "parking-4"; did you mean "parking-3"?'),
    ("campaign is parking-3", 1, "ask what people did with a campaign: write received campaign …"),
    ("subscribed to segment engaged", 15, "people are in a segment, and subscribed to a topic"),
    (
        "in segment here",
        13,
        'segment "here" leads back to itself: here → there → here (segment "there", line 2, column 13)',
    ),
    ("in segment broken", 1, 'no field is called "distrct"; did you mean "district"? (segment "broken", line 1'),
    # types
    ("age is four", 8, 'age holds a number, and "four" is not one'),
    ("age > 99999999999999999999", 7, 'age holds a number, and "99999999999999999999" is too large'),
    ("age > NaN", 7, 'age holds a number, and "NaN" is not one'),
    ("age contains 3", 1, "age holds a number; contains needs a text"),
    ("district > 3", 1, "district holds text, which is not more or less than anything; write district in (…)"),
    ("district within 90 days", 1, "district holds text; within needs a date"),
    ("district is today", 13, 'district holds text; if you mean the word, write "today" in quotes'),
    ("district", 1, "say what district should be, as in district is …"),
    ("renter is 5", 11, 'renter is yes or no, and "5" is neither'),
    ("renter between 1 and 2", 1, "renter holds yes or no; between needs a number or a date"),
    ("ward is nroth", 9, 'ward is never "nroth"; did you mean "north"?'),
    ("ward is west", 9, 'ward is never "west"; it is one of north, south'),
    ("language is Spansh", 13, 'no language is called "Spansh"; did you mean "Spanish"?'),
    ('zip is ""', 8, "there is nothing between these quotes; for nothing known, write is unknown"),
    # days
    ("moved is soon", 10, 'moved holds a date, and "soon" is not one; write it like 2026-03-31'),
    ("joined before 2026-02-30", 15, "there is no such day; dates are written year-month-day, like 2026-03-31"),
    ("joined before 0026-02-03", 15, "dates from 1900 to 2200 are allowed"),
    ("joined before 31 March 2026", 15, "dates are written year-month-day, like 2026-03-31"),
    ("joined after January 1 2026", 14, "dates are written year-month-day, like 2026-03-31"),
    ("joined before 2026", 15, "dates are written year-month-day, like 2026-03-31"),
    ("joined after 3/31/2026", 14, "dates are written year-month-day, like 2026-03-31"),
    ("joined between 2026-05-01 and 2026-04-01", 16, "the first day of a between has to be the earlier one"),
    ("opened between 2026-05-01 and 2026-04-01", 8, "the first day of a between has to be the earlier one"),
    ("age between 9 and 3", 13, "the first number of a between has to be the smaller one"),
    ("opened within 999999999 days", 15, "numbers up to 100,000 are allowed here"),
    ("opened within 90000 days", 8, "that is before 1900; count fewer days, weeks, months or years"),
    ("joined at least 3 days ago", 8, "write more than or less than here, as in more than 90 days ago"),
    # what people did
    ("opened at least 0 times", 8, "everybody did it at least 0 times; for nobody ever, write not in front"),
    ("opened within 9 days since 2026-01-01", 22, "when is said twice; write opened … and opened … for both"),
    ("opened from Parks about parking", 25, "whose mail is said twice; write opened … and opened … for both"),
    (
        "opened or clicked within 9 days",
        1,
        "say it for both: opened within 9 days or clicked within 9 days; or put each",
    ),
    (
        "received campaign parking-3 but not opened",
        1,
        'for both: received campaign "parking-3" and not opened campaign "parking-3"; or put each in brackets',
    ),
    ('email ends with ".gov" or ".edu"', 27, 'to allow several, write email ends with (".gov", ".edu")'),
    ("email ends with .gov", 17, 'put the text in quotes: ".gov"'),
    ('zip starts with "9" or ends with "2"', 24, "say the field again before ends with"),
    ("zip is not 3 or 4", 17, "to allow several values, write not in (3, 4)"),
    ("zip is 3 and 4", 14, "to allow several values, write in (3, 4)"),
    ("joined 2024", 8, "for a whole year, write between 2024-01-01 and 2024-12-31"),
    ("not opened the last 5 mailings", 1, "write ignored the last 5 campaigns"),
    ("opened none of our last 5 campaigns", 1, "write ignored the last 5 campaigns"),
    ("zip like 972%", 5, "write contains, starts with or ends with instead of like"),
    ("received campaign parking-3 and clicked it", 41, 'say again what "it" is, as in opened campaign …'),
    ("opened once twice", 13, "how often is said twice; write opened … and opened … for both"),
    (
        "ignored from Parks",
        1,
        "say how many, as in ignored the last 5 campaigns, or when, as in ignored within 90 days",
    ),
    ("ignored within 9 days today", 23, "when is said twice; write ignored … and ignored … for both"),
    (
        "opened campaign parking-3 twice before 2026-01-01",
        27,
        "one campaign is opened once at most; write opened campaign …",
    ),
    ("received campaign parking-3 twice", 29, "one campaign is received once at most; write received campaign …"),
    ("ignored 5 campaigns of campaign parking-3", 33, "campaigns are ignored in a row: name a department or a topic"),
    ('opened "parking-3"', 8, 'say what "parking-3" is: opened campaign …, about topic … or from department …'),
    ("not opened parking-3", 12, 'say what "parking-3" is: opened campaign …, about topic … or from department …'),
    ("district 3", 10, "a word is missing: write district is 3"),
    ("not in engaged", 5, "write in segment …, or the field before it, as in district in (3, 4)"),
    ("no phone", 1, "for nothing known, write phone is unknown"),
    ("unsubscribed", 1, "who left a topic is no longer subscribed: write topic is not …"),
    ("language is Spanish or Vietnamese", 24, "to allow several values, write language in (Spanish, Vietnamese)"),
    ("language is not en or Spanish", 23, "to allow several values, write language not in (en, Spanish)"),
    ("joined in 2025", 11, "for a whole year, write joined between 2025-01-01 and 2025-12-31"),
    ("ignored the last 0 campaigns", 18, "count campaigns from 1 up"),
    # how much of it
    ("renter " * 2000, 10001, "this rule has 14,000 characters and 10,000 are allowed; name parts of it as segments"),
    ("(" * 5000, 21, "brackets and nots are nested more than 20 deep; name parts of the rule as segments"),
    ("not " * 30 + "renter", 81, "brackets and nots are nested more than 20 deep; name parts of the rule as segments"),
    (" or ".join(["renter"] * 301), 3001, "the rule and its segments have more than 300 conditions; make it simpler"),
    (f'zip contains "{"9" * 1001}"', 14, "a text in a rule can have 1,000 characters, and this has 1,001"),
]


@pytest.mark.parametrize(("text", "column", "message"), WHAT_IS_WRONG, ids=[row[0][:40] for row in WHAT_IS_WRONG])
def test_an_error_says_what_is_wrong_and_where(text: str, column: int, message: str) -> None:
    with pytest.raises(RuleError) as caught:
        check(text, CATALOGUE)
    assert message in str(caught.value)
    assert (caught.value.column, caught.value.exit_code) == (column, 1)


def test_the_caret_stands_under_the_word() -> None:
    with pytest.raises(RuleError) as caught:
        check("renter\n and distrct is 4", CATALOGUE)
    assert str(caught.value) == (
        'no field is called "distrct"; did you mean "district"? (line 2, column 6)\n   and distrct is 4\n       ^^^^^^^'
    )


def test_a_long_line_is_shown_around_the_place() -> None:
    with pytest.raises(RuleError) as caught:
        check("renter and " * 50 + "distrct is 4" + " and renter" * 50, CATALOGUE)
    _, row, mark = str(caught.value).split("\n")
    assert len(row) <= 102
    assert row[mark.index("^") : mark.rindex("^") + 1] == "distrct"


def test_a_name_from_elsewhere_cannot_draw_on_the_terminal() -> None:
    with pytest.raises(RuleError) as caught:
        check('topic is "\x1b[2J"', CATALOGUE)
    assert "\x1b" not in str(caught.value)
