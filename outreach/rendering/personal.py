"""Links whose address holds something of the person's: `[Your street](https://city.example/street?zip={{ zip }})`.

The link table keeps a template of the address (RFC 6570, level 1: `https://city.example/street?zip={zip}`), and the
link in the mail carries the values, signed. So the site is always the author's, whatever the values are, and the
address can still be corrected after sending. A value is percent-encoded whole: it cannot become a path or a host.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

from outreach.rendering.errors import ComposeError
from outreach.rendering.expressions import Missing, missing, printed

PERSONAL_LINK: Final = "personal_link_"
"""The variables that stand for such links; the link's number is appended."""
MAX_URL: Final = 2_000
"""Characters of an address; ours. Older mail clients and proxies cut longer ones."""
NEVER: Final = frozenset({"email", "first_name", "last_name", "phone"})
"""What says who somebody is stays out of addresses: they end up in logs, histories and other sites' reports."""

_HOLE = re.compile(r"\{(\w+)\}")


def fields_of(template: str) -> tuple[str, ...]:
    """The fields whose values an address asks for, each once."""
    return tuple(dict.fromkeys(_HOLE.findall(template)))


def filled(template: str, values: Mapping[str, str]) -> str:
    """The address with a person's values; what is not known is left empty (RFC 6570, 3.2.1)."""
    return _HOLE.sub(lambda hole: quote(values.get(hole[1], ""), safe=""), template)


def number_in(name: str) -> int | None:
    """The link's number, when a variable stands for a personal link."""
    number = name.removeprefix(PERSONAL_LINK)
    return int(number) if number != name and number.isascii() and number.isdigit() else None


def numbers_in(names: Iterable[str]) -> tuple[int, ...]:
    return tuple(sorted(number for name in names if (number := number_in(name)) is not None))


def values_for(template: str, attributes: Mapping[str, Any]) -> dict[str, str] | Missing:
    """A person's values; Missing, which fails where it is printed, when one is not known. Raises ComposeError."""
    values: dict[str, str] = {}
    for field in fields_of(template):
        value = attributes.get(field)
        if value is None or value == "" or isinstance(value, Missing):
            return missing(field)
        values[field] = printed(value)
    if len(filled(template, values)) > MAX_URL:
        raise ComposeError(f"a link's address has more than {MAX_URL:,} characters with this person's values")
    return values


def packed(number: int, values: Mapping[str, str]) -> str:
    """What stands behind the token: the link's number and the values, in letters that no mail program changes."""
    text = json.dumps(values, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return f"{number}/{base64.urlsafe_b64encode(text.encode()).decode('ascii').rstrip('=')}"


def unpacked(text: str) -> tuple[int, dict[str, str]]:
    """The number and the values. ValueError for what `packed` did not write."""
    number, _, content = text.partition("/")
    values = json.loads(base64.urlsafe_b64decode(content + "=" * (-len(content) % 4)))
    if not isinstance(values, dict) or not number.isascii():
        raise ValueError("this is no personal link")
    return int(number), {str(name): str(value) for name, value in values.items()}
