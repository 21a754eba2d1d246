"""The sentences in which rules are explained, in each language: data, one table a language.

A key ending in `.no` is the complement of the one without. Complements are written out, not made with "not", so that
it is plain that people of whom nothing is known belong to them.
"""

from __future__ import annotations

from collections.abc import Mapping

from outreach.segmentation.phrases_de import GERMAN
from outreach.segmentation.phrases_en import ENGLISH
from outreach.segmentation.phrases_es import SPANISH

LANGUAGES: Mapping[str, Mapping[str, str]] = {"en": ENGLISH, "es": SPANISH, "de": GERMAN}
