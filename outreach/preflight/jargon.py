"""Office words, and what people say instead. By language; a city adds its own in `gate.jargon`.

Words as they stand in a text, in lower case; all of them are found with ordinary endings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

JARGON: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "aforementioned": "this", "ascertain": "find out", "at this point in time": "now", "commence": "start",
        "commences": "starts", "endeavour": "try", "endeavor": "try", "expedite": "speed up", "facilitate": "help",
        "forthwith": "at once", "going forward": "from now on", "hereby": "", "herein": "here",
        "heretofore": "until now", "in accordance with": "by", "in lieu of": "instead of", "in order to": "to",
        "in the event of": "if", "in the event that": "if", "incentivize": "encourage", "leverage": "use",
        "notwithstanding": "despite", "per annum": "a year", "prior to": "before", "promulgate": "publish",
        "pursuant to": "under", "remuneration": "pay", "stakeholder": "people concerned",
        "stakeholders": "people concerned", "subsequent to": "after", "terminate": "end", "thereof": "of it",
        "utilise": "use", "utilize": "use", "utilization": "use", "with regard to": "about",
        "with respect to": "about",
    },
    "es": {
        "a la mayor brevedad": "pronto", "a tenor de": "según", "conforme a lo dispuesto en": "según",
        "de conformidad con": "según", "el abajo firmante": "yo", "en virtud de": "por", "fehaciente": "seguro",
        "interponer": "presentar", "mediante la presente": "", "no obstante": "pero", "precitado": "este",
        "subsanar": "corregir",
    },
    "de": {
        "diesbezüglich": "dazu", "hinsichtlich": "zu", "in kenntnis setzen": "mitteilen", "inanspruchnahme": "nutzen",
        "maßgabe": "", "obliegt": "muss", "seitens": "von", "unbeschadet": "trotz", "zwecks": "für",
        "zur anwendung": "gilt",
    },
}  # fmt: skip
