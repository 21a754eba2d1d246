"""Signing up and confirming: GET shows a page, POST acts, and the answer is the same for every address.

    GET  /signup         a form: topics, an address
    POST /signup         "please check your email", whoever it is
    GET  /k/<token>      a button
    POST /k/<token>      confirms; twice is once

Against robots: a field that people do not see, a signed moment at which the form was shown (too quick,
too old or missing, and the form comes back filled in, to be sent once more), and the limits of
`outreach.store.confirmations`. A form on another site may post here: it gets ours, filled in, as its answer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from outreach.addresses import BadAddress, normalise
from outreach.store.confirmations import Confirmation
from outreach.store.preferences import OfferedTopic
from outreach.tokens import BadToken, KeyRing, Purpose
from tracking.pages import filling
from tracking.pages.filling import STATUTORY, Page
from tracking.pages.words import LANGUAGES

MIN_SECONDS: Final = 2
"""Nobody reads the page and writes an address faster."""
MAX_SECONDS: Final = 86_400
TEXT_VERSION: Final = "sign-up 1"
Fields = Mapping[str, str]


def form(
    topics: Sequence[OfferedTopic],
    *,
    language: str,
    organisation: str,
    shown: str,
    fields: Fields | None = None,
    problems: tuple[str, ...] = (),
) -> Page:
    """The form; `shown` is the signed moment, `fields` what was filled in before."""
    words = LANGUAGES[language]
    fields = fields or {}
    ticked = [topic.id for topic in topics if fields.get(f"t{topic.id}")]
    return Page(
        language=language,
        title=words.signup_title,
        heading=words.signup_heading,
        organisation=organisation,
        problems=problems,
        button=words.signup_button,
        hidden=(("shown", shown), ("lang", language)),
        groups=filling.groups(topics, ticked, language),
        address_name="email",
        address_label=words.email_label,
        address=fields.get("email", "")[:254],
        address_required=True,
        trap=True,
        consent=words.consent_text.format(organisation=organisation),
        languages=filling.languages(),
    )


def check(language: str, organisation: str) -> Page:
    """The answer to every sign-up."""
    words = LANGUAGES[language]
    return Page(
        language=language,
        title=words.check_title,
        heading=words.check_title,
        organisation=organisation,
        lines=(words.check_note,),
        done=True,
    )


def moment(keys: KeyRing, now: float) -> str:
    return keys.sign(Purpose.FORM, int(now), 0)


def was_shown(keys: KeyRing, token: str, now: float) -> bool:
    """Whether the form was shown to somebody who had the time to read it."""
    try:
        at = keys.verify(Purpose.FORM, token).campaign_id
    except BadToken:
        return False
    return MIN_SECONDS <= now - at <= MAX_SECONDS


def is_robot(fields: Fields) -> bool:
    return bool(fields.get("website"))


def problems(fields: Fields, topics: Sequence[OfferedTopic], *, language: str, shown: bool) -> tuple[str, ...]:
    """What is wrong with what was filled in, in the reader's language."""
    words = LANGUAGES[language]
    found = []
    if not chosen(fields, topics):
        found.append(words.no_topic)
    try:
        normalise(fields.get("email", ""))
    except BadAddress:
        found.append(words.bad_address)
    if not found and not shown:
        found.append(words.once_more)
    return tuple(found)


def chosen(fields: Fields, topics: Sequence[OfferedTopic]) -> list[int]:
    return [topic.id for topic in topics if topic.message_class != STATUTORY and fields.get(f"t{topic.id}")]


def written(fields: Fields, topics: Sequence[OfferedTopic], language: str) -> str:
    """The event's detail. The spool holds the address until it is loaded."""
    said = {
        "address": normalise(fields["email"]),
        "topics": chosen(fields, topics),
        "language": language,
        "text": f"{TEXT_VERSION} {language}",
    }
    return json.dumps(said, separators=(",", ":"))


def confirm(found: Confirmation, topics: Sequence[OfferedTopic], *, language: str, organisation: str) -> Page:
    """Asks; nothing changes."""
    words = LANGUAGES[language]
    names = [topic.named(language) for topic in topics if str(topic.id) in found.topics]
    of_address = found.kind == "address"
    return Page(
        language=language,
        title=words.confirm_title,
        heading=words.confirm_address if of_address else words.confirm_title,
        organisation=organisation,
        lines=() if of_address or not names else (words.saved_topics.format(topics=", ".join(names)),),
        note=words.confirm_note,
        button=words.confirm_button,
        hidden=(("confirm", "1"),),
        languages=filling.languages(),
    )


def confirmed(*, language: str, organisation: str, choices: str) -> Page:
    words = LANGUAGES[language]
    return Page(
        language=language,
        title=words.confirmed_title,
        heading=words.confirmed_title,
        organisation=organisation,
        note=words.confirmed_note,
        link=(choices, words.choices_title),
        done=True,
    )


def expired(*, language: str, organisation: str, held: bool = False) -> Page:
    """A mailed link that works no more; `held`: it led to what we hold."""
    words = LANGUAGES[language]
    return Page(
        language=language,
        title=words.expired_title,
        heading=words.expired_title,
        organisation=organisation,
        lines=(words.held_expired if held else words.expired_note,),
    )
