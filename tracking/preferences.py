"""The preference centre: reached by a signed link, without a login; GET shows, POST acts.

    GET  /p/<token>      topics, language, frequency, pause, what may be noticed, a new address
    POST /p/<token>      saves all that, or leave=all, or undo=1, or held=1: what we hold, sent to the address itself

What is posted is written to the spool and acknowledged once durable; the loader puts it into effect a
moment later, so the answer shows what was asked for, not what is stored. The page names topics and never
an address. Without the database the link still lets a person leave (`asked_to_leave`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from outreach.events import Choice
from outreach.store.preferences import Standing
from tracking.pages import filling
from tracking.pages.filling import STATUTORY, Other, Page, Select
from tracking.pages.words import LANGUAGES

Fields = Mapping[str, str]
LEAVE = (("leave", "all"),)
HELD = (("held", "1"),)
USUAL_HOUR = -1


def show(standing: Standing, *, language: str, organisation: str, default: Choice) -> Page:
    """The page as the person stands."""
    words = LANGUAGES[language]
    chosen = [topic.id for topic in standing.topics if topic.is_chosen and not standing.has_left]
    tracking = (
        (str(int(Choice.INDIVIDUAL)), words.tracking_individual),
        (str(int(Choice.AGGREGATE)), words.tracking_aggregate),
        (str(int(Choice.NONE)), words.tracking_none),
    )
    mail_language = (standing.language or language).split("-")[0]
    spoken = tuple((code, each.language_name) for code, each in LANGUAGES.items())
    if mail_language not in LANGUAGES:
        spoken = (*spoken, (mail_language, mail_language))
    pause = filling.pauses(words)
    if standing.is_paused:
        pause = (*pause, ("keep", words.pause_label))
    return Page(
        language=language,
        title=words.choices_title,
        heading=words.choices_heading.format(organisation=organisation),
        organisation=organisation,
        button=words.save_button,
        groups=filling.groups(standing.topics, chosen, language),
        frequencies=filling.frequencies(words),
        required=filling.required(standing.topics, language),
        choices=(
            Select("language", words.mail_language_label, spoken, mail_language),
            Select("hour", words.hour_label, filling.hours(words), _hour(standing)),
            Select("pause", words.pause_label, pause, "keep" if standing.is_paused else "0"),
            Select("tracking", words.tracking_label, tracking, str(int(standing.tracking or default))),
        ),
        address_name="address",
        address_label=words.new_address_label,
        address_hint=words.new_address_hint,
        others=(
            *(() if standing.has_left else (Other(words.all_button.format(organisation=organisation), LEAVE),)),
            Other(words.held_button, HELD),
        ),
        languages=filling.languages(),
    )


def detail(fields: Fields, standing: Standing, *, default: Choice, language: str) -> dict[str, Any]:
    """What the loader is to do (`outreach.store.preferences`). Only what the person changed is named."""
    if fields.get("held") == "1":
        return {"held": True, "language": language}
    if fields.get("leave") == "all":
        return {"leave": True}
    if fields.get("undo") == "1":
        return {"undo": True}
    offered = [topic.id for topic in standing.topics if topic.message_class != STATUTORY]
    ticked = {str(number): _often(fields.get(f"f{number}")) for number in offered if fields.get(f"t{number}")}
    found: dict[str, Any] = {"topics": ticked, "offered": offered}
    language = fields.get("language", "")
    if language in LANGUAGES and language != (standing.language or "").split("-")[0]:
        found["language"] = language
    hour = fields.get("hour", "keep")
    if hour != _hour(standing) and hour in dict(filling.hours(LANGUAGES["en"])):
        found["hour"] = int(hour or USUAL_HOUR)
    pause = fields.get("pause", "keep")
    if pause.isascii() and pause.isdigit() and len(pause) < 4 and (standing.is_paused or int(pause)):
        found["pause"] = int(pause)
    tracking = fields.get("tracking", "")
    if tracking in {str(int(choice)) for choice in Choice} and int(tracking) != int(standing.tracking or default):
        found["tracking"] = int(tracking)
    if address := fields.get("address", "").strip()[:254]:
        found["address"] = address
    return found


def saved(wish: Mapping[str, Any], before: Standing, *, language: str, organisation: str, here: str) -> Page:
    """What was asked for, and a button that takes it back."""
    words = LANGUAGES[language]
    if wish.get("held"):
        return Page(
            language=language,
            title=words.held_sent_title,
            heading=words.held_sent_title,
            organisation=organisation,
            lines=(words.held_sent_note,),
            link=(here, words.again_link),
            done=True,
        )
    if wish.get("leave"):
        return Page(
            language=language,
            title=words.left_title,
            heading=words.left_title,
            organisation=organisation,
            lines=(words.left_all,),
            note=words.left_note,
            others=(Other(words.undo_button, (("undo", "1"),)),),
            done=True,
        )
    if wish.get("undo"):
        return Page(
            language=language,
            title=words.undone_title,
            heading=words.undone_title,
            organisation=organisation,
            lines=(words.undone_note,),
            done=True,
        )
    names = [topic.named(language) for topic in before.topics if str(topic.id) in wish["topics"]]
    lines = [words.saved_topics.format(topics=", ".join(names)) if names else words.saved_none]
    if "address" in wish:
        lines.append(words.saved_address)
    return Page(
        language=language,
        title=words.saved_title,
        heading=words.saved_title,
        organisation=organisation,
        lines=tuple(lines),
        others=(Other(words.undo_change_button, _as_it_was(before)),),
        link=(here, words.again_link),
        done=True,
    )


def written(wish: Mapping[str, Any]) -> str:
    return json.dumps(wish, separators=(",", ":"))


def _as_it_was(before: Standing) -> tuple[tuple[str, str], ...]:
    fields: list[tuple[str, str]] = []
    for topic in before.topics:
        if topic.is_chosen and not before.has_left:
            fields += [(f"t{topic.id}", "1"), (f"f{topic.id}", str(int(topic.frequency)))]
    if before.has_left:
        return LEAVE
    fields.append(("hour", _hour(before)))
    fields.append(("pause", "keep" if before.is_paused else "0"))
    if before.language:
        fields.append(("language", before.language.split("-")[0]))
    if before.tracking:
        fields.append(("tracking", str(int(before.tracking))))
    return tuple(fields)


def _hour(standing: Standing) -> str:
    return "" if standing.hour is None else str(standing.hour)


def _often(text: str | None) -> int:
    return int(text) if text in ("0", "1", "2") else 0
