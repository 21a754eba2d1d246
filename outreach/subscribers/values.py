"""What a cell means: districts, languages, yes and no, dates, lists. One value, one form, from whatever file.

Each function takes the stripped text of a cell and answers None for what it cannot understand. The
ones whose cells repeat through a file remember their answers.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Final

Moment = Callable[[str], int | None]
"""Reads a date; answers milliseconds since 1970, UTC."""

_YES: Final = frozenset(
    ["1", "true", "t", "yes", "y", "x", "on", "ja", "j", "wahr", "sí", "si", "oui", "sim", "có", "是"]
)
_NO: Final = {"0", "false", "f", "no", "n", "off", "nein", "falsch", "non", "não", "không", "否"}

# As people write their language in forms and exports, in it and in English and German.
_LANGUAGES: Final = {
    "am": "amharic አማርኛ",
    "ar": "arabic arabisch العربية",
    "de": "german deutsch alemán allemand",
    "en": "english englisch inglés anglais",
    "es": "spanish spanisch español espanol castellano espagnol",
    "fa": "persian farsi persisch فارسی",
    "fr": "french französisch français francais francés",
    "hi": "hindi हिन्दी",
    "hmn": "hmong hmoob",
    "hy": "armenian հայերեն",
    "it": "italian italienisch italiano",
    "ja": "japanese japanisch 日本語",
    "km": "khmer cambodian ខ្មែរ",
    "ko": "korean koreanisch 한국어",
    "lo": "lao laotian ລາວ",
    "pa": "punjabi ਪੰਜਾਬੀ",
    "pl": "polish polnisch polski",
    "pt": "portuguese portugiesisch português portugues",
    "ru": "russian russisch русский",
    "so": "somali soomaali",
    "sw": "swahili kiswahili",
    "tl": "tagalog filipino",
    "tr": "turkish türkisch türkçe",
    "uk": "ukrainian ukrainisch українська",
    "vi": "vietnamese vietnamesisch tiếng_việt tieng_viet",
    "zh": "chinese chinesisch 中文 mandarin cantonese",
}
_LANGUAGE_OF: Final = {name.replace("_", " "): code for code, names in _LANGUAGES.items() for name in names.split()}
_BCP47 = re.compile(r"[a-z]{2,3}(?:-[a-z0-9]{2,8})*")
_ISO_639_2: Final = {
    "eng": "en",
    "spa": "es",
    "deu": "de",
    "ger": "de",
    "fra": "fr",
    "zho": "zh",
    "chi": "zh",
    "vie": "vi",
}
_DISTRICT = re.compile(r"\D{0,40}?0*(\d{1,4})(?:\.0)?")
_WHOLE = re.compile(r"(\d+)\.0")
_DAMAGED = re.compile(r"\ufffd|\w\?\w|^\?\w|\w\?$|\?\?")
_SLASHED = re.compile(
    r"(\d{1,4})[/.-](\d{1,2})[/.-](\d{1,4})(?:,?[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?(?:\.\d+)?\s*([AaPp])?\.?[Mm]?\.?)?"
)
_MILLISECOND: Final = dt.timedelta(milliseconds=1)
MAX_LANGUAGE: Final = 16
_YEARS: Final = range(1900, 2200)  # a date outside them is a slip, and some databases cannot hold it
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def plain(text: str) -> str | None:
    return text or None


@lru_cache(maxsize=1024)
def yes_no(text: str) -> bool | None:
    """Yes and no in the languages exports come in; None for anything else."""
    word = text.casefold()
    return True if word in _YES else False if word in _NO else None


@lru_cache(maxsize=4096)
def district(text: str) -> str | None:
    """`District 2`, `02` and `2.0` are all "2"; a district with a name keeps it."""
    found = _DISTRICT.fullmatch(text)
    return found[1] if found else text or None


@lru_cache(maxsize=65536)
def zip_code(text: str) -> str | None:
    """Text, since Boston's begin with 0; a spreadsheet's `95842.0` loses its fraction."""
    found = _WHOLE.fullmatch(text)
    return found[1] if found else text or None


@lru_cache(maxsize=4096)
def language(text: str) -> str | None:
    """A lower-case BCP 47 code (RFC 5646) for a code or a language's name; None if it is neither."""
    word = text.casefold()
    if word in _LANGUAGE_OF:
        return _LANGUAGE_OF[word]
    code = word.replace("_", "-").partition(".")[0]
    if code in _ISO_639_2:
        return _ISO_639_2[code]
    if _BCP47.fullmatch(code) and len(code) <= MAX_LANGUAGE:
        return code
    # `Spanish (Mexico)`, `English; Español`: the first word decides.
    first = re.split(r"[\s,;/(]", word, maxsplit=1)[0]
    return _LANGUAGE_OF.get(first)


def number(text: str) -> int | float | None:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < 1e300 else None  # no infinities, no NaN: JSON has neither


@lru_cache(maxsize=16384)
def items(text: str) -> tuple[str, ...]:
    """The parts of a list in a cell: `"Library events","Road works"` or `Parking; Housing`."""
    delimiter = "," if '"' in text or ";" not in text else ";"
    try:
        parts = next(
            csv.reader([text.replace("\n", " ").replace("\r", " ")], delimiter=delimiter, skipinitialspace=True)
        )
    except (csv.Error, StopIteration):
        return ()
    return tuple(dict.fromkeys(cleaned for part in parts if (cleaned := " ".join(part.split()))))


def full_name(text: str) -> tuple[str, str]:
    """First and last name: the first word, and the rest; `Lee, Ada` the other way about."""
    if text.count(",") == 1:
        last, _, first = text.partition(",")
        return first.strip(), last.strip()
    first, _, last = text.partition(" ")
    return first, last.strip()


@lru_cache(maxsize=65536)
def damaged(text: str) -> bool:
    """True if another program replaced letters it could not write: `Dvo?ák`. Meant for names only."""
    return _DAMAGED.search(text) is not None


def moment(*, day_first: bool = False, zone: dt.tzinfo = dt.UTC) -> Moment:
    """A reader of dates: ISO 8601, `31.12.2019`, `12/31/2019 07:16 PM`. `day_first` decides 03/04/2020.

    A time without a zone is in `zone`; a date alone is its midnight.
    """

    @lru_cache(maxsize=65536)
    def read(text: str) -> int | None:
        if not text:
            return None
        found = _iso(text) or _written(text, day_first=day_first)
        if found is None or found.year not in _YEARS:
            return None
        return ((found if found.tzinfo else found.replace(tzinfo=zone)) - _EPOCH) // _MILLISECOND

    return read


def _iso(text: str) -> dt.datetime | None:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        return None


def _written(text: str, *, day_first: bool) -> dt.datetime | None:
    found = _SLASHED.fullmatch(text)
    if not found:
        return None
    a, b, c = int(found[1]), int(found[2]), int(found[3])
    if len(found[1]) == 4:
        year, month, day = a, b, c
    elif "." in text.split(" ")[0] or day_first or a > 12:
        year, month, day = c, b, a  # dots mean day.month.year wherever they are used
    else:
        year, month, day = c, a, b
    hour, minute, second = int(found[4] or 0), int(found[5] or 0), int(found[6] or 0)
    if found[7]:
        hour = hour % 12 + (12 if found[7] in "pP" else 0)
    try:
        return dt.datetime(year + (2000 if year < 100 else 0), month, day, hour, minute, second)  # noqa: DTZ001  # the caller knows the zone
    except ValueError:
        return None


def writes_day_first(dates: Iterable[str]) -> bool:
    """True if some slashed date in a column can only be day/month/year."""
    return any(
        int(found[1]) > 12 and len(found[1]) < 3 for text in dates if (found := _SLASHED.fullmatch(text.strip()))
    )
