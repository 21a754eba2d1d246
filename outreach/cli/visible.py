"""Text from outside, made safe to print on a terminal."""

from __future__ import annotations

import unicodedata


def visible(text: str) -> str:
    """Without what could steer a terminal: control characters, escapes, marks that turn the direction of text."""
    return "".join(letter for letter in text if unicodedata.category(letter) not in ("Cc", "Cf") or letter in "\n\t")
