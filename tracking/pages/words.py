"""What the pages say. English stands here, every other language in a gettext catalogue `texts/CODE.po`.

`{topic}`, `{organisation}` and the like are filled in, and escaped, by the page.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from babel.messages.pofile import read_po


@dataclass(frozen=True, slots=True)
class Words:
    """One language's words."""

    leave_title: str
    leave_question: str
    leave_all_question: str
    leave_these_question: str
    leave_note: str
    leave_button: str
    all_button: str
    left_title: str
    left_topic: str
    left_all: str
    left_note: str
    undo_button: str
    undone_title: str
    undone_note: str
    unknown_title: str
    unknown_note: str
    link_title: str
    link_note: str
    later_title: str
    later_note: str
    later_button: str
    language_name: str
    languages_label: str
    choices_title: str
    choices_heading: str
    topics_label: str
    often_label: str
    at_once: str
    daily: str
    weekly: str
    required: str
    mail_language_label: str
    hour_label: str
    hour_usual: str
    pause_label: str
    pause_none: str
    pause_days: str
    tracking_label: str
    tracking_individual: str
    tracking_aggregate: str
    tracking_none: str
    new_address_label: str
    new_address_hint: str
    save_button: str
    saved_title: str
    saved_none: str
    saved_topics: str
    saved_address: str
    undo_change_button: str
    again_link: str
    signup_title: str
    signup_heading: str
    email_label: str
    consent_text: str
    signup_button: str
    leave_empty: str
    bad_address: str
    no_topic: str
    once_more: str
    check_title: str
    check_note: str
    confirm_title: str
    confirm_note: str
    confirm_address: str
    confirm_button: str
    confirmed_title: str
    confirmed_note: str
    expired_title: str
    expired_note: str
    mail_subject: str
    mail_body: str
    mail_ignore: str
    archive_note: str
    archive_feed: str
    held_button: str
    held_sent_title: str
    held_sent_note: str
    held_title: str
    held_note: str
    held_expired: str
    held_you: str
    held_joined: str
    held_suppressed: str
    held_values: str
    held_history: str
    held_confirmed: str
    held_unconfirmed: str
    held_unsubscribed: str
    held_came: str
    held_given: str
    held_withdrawn: str
    held_mail: str
    held_open: str
    held_click: str
    held_mail_subject: str
    held_mail_body: str
    held_mail_ignore: str
    answer_title: str
    answer_note: str
    answer_label: str
    answer_button: str
    answered_title: str
    answered_line: str
    answered_note: str


ENGLISH = Words(
    leave_title="Unsubscribe",
    leave_question="Stop receiving {topic} by email?",
    leave_all_question="Stop receiving email from {organisation}?",
    leave_these_question="Stop receiving these emails?",
    leave_note="Nothing has changed yet. Other topics you chose are not affected.",
    leave_button="Unsubscribe",
    all_button="Stop all email from {organisation}",
    left_title="You are unsubscribed",
    left_topic="We will not send you {topic} any more.",
    left_all="We will not send you any more email.",
    left_note="A message that is already on its way may still arrive.",
    undo_button="That was a mistake, keep me subscribed",
    undone_title="You are still subscribed",
    undone_note="Everything is as it was before. You can close this page.",
    unknown_title="This link does not work",
    unknown_note="It may have been cut off on its way. Please open it from the email again, or reply to the email "
    "and we will help.",
    link_title="This link does not lead anywhere",
    link_note="It may have been cut off on its way. Please open it from the email again.",
    later_title="Please try again in a moment",
    later_note="We could not do this just now, and nothing has been changed.",
    later_button="Try again",
    language_name="English",
    languages_label="Language of this page",
    choices_title="Your choices",
    choices_heading="What may {organisation} send you?",
    topics_label="Topics",
    often_label="How often: {topic}",
    at_once="As it happens",
    daily="Once a day",
    weekly="Once a week",
    required="Required by law, sent to everyone concerned: {topics}",
    mail_language_label="Language of your email",
    hour_label="Daily and weekly email comes at",
    hour_usual="The usual hour",
    pause_label="Pause all email",
    pause_none="No pause",
    pause_days="For {days} days",
    tracking_label="What we may notice",
    tracking_individual="What I open and follow",
    tracking_aggregate="Only numbers, not who",
    tracking_none="Nothing",
    new_address_label="New email address",
    new_address_hint="Only if it changes. We will send a message there for you to confirm.",
    save_button="Save",
    saved_title="Saved",
    saved_none="You have chosen no topic. We will not send you any.",
    saved_topics="We will send you: {topics}",
    saved_address="Please open the message at your new address and confirm it.",
    undo_change_button="Undo this change",
    again_link="Change something else",
    signup_title="Sign up for email",
    signup_heading="What would you like to hear about?",
    email_label="Email address",
    consent_text=(
        "I agree that {organisation} sends me email about the topics I ticked. I can leave at any time with one click."
    ),
    signup_button="Sign up",
    leave_empty="Leave this field empty",
    bad_address="Please write a whole email address, such as name@example.com.",
    no_topic="Please tick at least one topic.",
    once_more="Please look at it once more and press the button again.",
    check_title="Please check your email",
    check_note=(
        "You will find a message from us in a few minutes. Open it and confirm; until then nothing is sent to"
        " you. If we wrote to you about this already today, please use that message."
    ),
    confirm_title="Please confirm",
    confirm_note="Nothing is sent to you until you press the button.",
    confirm_address="Use this address from now on?",
    confirm_button="Yes, confirm",
    confirmed_title="Thank you, that is confirmed",
    confirmed_note="You can change your choices or leave at any time; every message has a link for it.",
    expired_title="This link has expired",
    expired_note="It was valid for 7 days, and nothing has been changed. Please sign up again.",
    mail_subject="Please confirm your email address",
    mail_body=(
        "Somebody, we hope you, asked {organisation} to write to this address. To confirm, open this page and"
        " press the button (within 7 days):"
    ),
    mail_ignore="If it was not you, do nothing: you will not hear from us.",
    archive_note="Everything {organisation} sent about this, the latest first.",
    archive_feed="Follow with a feed reader (RSS)",
    held_button="Send me what you hold about me",
    held_sent_title="It is on its way to you",
    held_sent_note=(
        "In a few minutes you will find a link in your email that shows everything we hold about you. It "
        "works for one day. We send one a day."
    ),
    held_title="What we hold about you",
    held_note="This page is for you alone. Its link works for one day.",
    held_expired="It was valid for one day. You can ask again on the page of your choices.",
    held_you="You",
    held_joined="Joined",
    held_suppressed="We do not write to you",
    held_values="What we know",
    held_history="What happened",
    held_confirmed="subscribed",
    held_unconfirmed="not confirmed",
    held_unsubscribed="unsubscribed",
    held_came="First known to us",
    held_given="Consent given",
    held_withdrawn="Consent withdrawn",
    held_mail="Email sent",
    held_open="Opened",
    held_click="Followed a link",
    held_mail_subject="What we hold about you",
    held_mail_body=(
        "Somebody, we hope you, asked {organisation} what it holds about this address. This link shows it, for one day:"
    ),
    held_mail_ignore="If it was not you, do nothing. Please do not forward this message.",
    answer_title="Your answer",
    answer_note="Nothing has been sent yet.",
    answer_label="Answers",
    answer_button="Send my answer",
    answered_title="Thank you for your answer",
    answered_line="You answered: {answer}",
    answered_note="If you answer again, your last answer counts.",
)


def catalogue(path: Path) -> Words:
    """A gettext catalogue's words; what it lacks, or marks as doubtful (fuzzy), stays English."""
    with path.open("rb") as file:
        found = read_po(file)
    said: dict[str, str] = {}
    for name, english in asdict(ENGLISH).items():
        message = found.get(english, context=name)
        translated = message.string if message and not message.fuzzy else ""
        said[name] = translated if isinstance(translated, str) and translated else english
    return Words(**said)


LANGUAGES: Final = {"en": ENGLISH} | {
    path.stem: catalogue(path) for path in sorted((Path(__file__).parent / "texts").glob("*.po"))
}
RIGHT_TO_LEFT: Final = frozenset({"ar", "fa", "he", "ur", "ps"})


def direction(language: str) -> str:
    """The value of HTML's `dir`."""
    return "rtl" if language.split("-")[0] in RIGHT_TO_LEFT else "ltr"


def choose(accept_language: str, *, otherwise: str) -> str:
    """The reader's best language among ours (RFC 9110, 12.5.4), or the campaign's, or English."""
    wishes: list[tuple[float, int, str]] = []
    for place, item in enumerate(accept_language.split(",")[:20]):
        tag, _, quality = item.strip().partition(";q=")
        code = tag.split("-")[0].strip().lower()
        if code in LANGUAGES:
            wishes.append((-_quality(quality), place, code))
    if wishes and min(wishes)[0] < 0:
        return min(wishes)[2]
    fallback = otherwise.split("-")[0].lower()
    return fallback if fallback in LANGUAGES else "en"


def _quality(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0
