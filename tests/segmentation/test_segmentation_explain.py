"""Rules said as sentences, in three languages."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from outreach.segmentation import Catalogue, Topic, explain
from outreach.segmentation.phrases import LANGUAGES

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
CHICAGO = ZoneInfo("America/Chicago")
CATALOGUE = Catalogue(
    topics=(Topic(1, "Parking", 1), Topic(2, "Parks", 2)),
    departments={"Parks": 2, "Public Works": 1},
    campaigns={"parking-3": 3},
    segments={"engaged": "opened within 90 days or renter"},
)

SENTENCES = [
    ("everyone", "en", "Everybody."),
    ("not everyone", "de", "Niemand."),
    (
        "topic is PARKING and district in (3, 4) and not opened within 90 days",
        "en",
        "People who subscribe to “Parking”, whose district is 3 or 4 and who opened no campaign in the last 90 days"
        " (since August 23, 2026).",
    ),
    (
        "topic is PARKING and district in (3, 4) and not opened within 90 days",
        "es",
        "Personas suscritas a «Parking», cuyo dato «distrito» es 3 o 4 y que no abrieron ninguna campaña en los"
        " últimos 90 días (desde el 23 de agosto de 2026).",
    ),
    (
        "topic is PARKING and district in (3, 4) and not opened within 90 days",
        "de",
        "Personen, die „Parking“ abonniert haben, bei denen „Bezirk“ 3 oder 4 ist und die in den letzten 90 Tagen"
        " (seit 23. August 2026) keine Kampagne geöffnet haben.",
    ),
    (
        "not (renter or language is es)",
        "en",
        "People for whom “renter” is not yes (or is not known) and whose language is not Spanish (es)"
        " (or is not known).",
    ),
    (
        "not in segment engaged and clicked fewer than 3 times from Parks",
        "en",
        "People who are not in segment “engaged” [that is, not people who opened at least one campaign in the last"
        " 90 days (since August 23, 2026) or for whom “renter” is yes] and who clicked at most 2 links (perhaps none)"
        " from department “Parks”.",
    ),
    ("received campaign parking-3", "en", "People who received campaign “parking-3”."),
    ("not opened campaign parking-3 exactly once", "en", "People who did not open campaign “parking-3”."),
    (
        "clicked campaign parking-3 exactly once before 2026-10-01",
        "en",
        "People who clicked exactly 1 link (the same one on two days counts twice) of campaign “parking-3” before"
        " October 1, 2026.",
    ),
    (
        "clicked at most 2 times within 7 days",
        "de",
        "Personen, die in den letzten 7 Tagen (seit 14. November 2026) höchstens 2 Links (vielleicht gar nichts;"
        " dasselbe an zwei Tagen zählt zweimal) angeklickt haben.",
    ),
    (
        "opened at least 3 times about parking since yesterday",
        "es",
        "Personas que abrieron 3 o más campañas (lo mismo en dos días cuenta dos veces) sobre el tema «Parking» el"
        " 20 de noviembre de 2026 o después.",
    ),
    ("not received campaign parking-3", "es", "Personas que no recibieron la campaña «parking-3»."),
    (
        "renter and (zip is known or joined this month)",
        "en",
        "People for whom “renter” is yes and [whose ZIP code is known or who joined from November 1, 2026 to"
        " November 30, 2026].",
    ),
    ("joined last month", "de", "Personen, die vom 1. Oktober 2026 bis 31. Oktober 2026 beigetreten sind."),
    (
        "ignored the last 5 campaigns about topic parking",
        "en",
        "People who left their last 5 campaigns about topic “Parking” unopened.",
    ),
    ("never clicked since yesterday", "en", "People who clicked no link on or after November 20, 2026."),
    ("received exactly 2 times", "fr", "People who received exactly 2 campaigns."),
]


@pytest.mark.parametrize(("rule", "language", "sentence"), SENTENCES)
def test_a_rule_as_a_sentence(rule: str, language: str, sentence: str) -> None:
    assert explain(rule, CATALOGUE, language, now=NOW, zone=CHICAGO) == sentence


def test_the_languages_say_the_same_things() -> None:
    labels = {"email", "district", "language", "renter", "phone", "joined.field"}
    keys = {language: set(phrases) - labels for language, phrases in LANGUAGES.items()}
    assert keys["es"] == keys["en"]
    assert keys["de"] == keys["en"]
