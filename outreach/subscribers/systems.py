"""The systems whose exports we know by their headers, and what each header means.

`known_as` reads a header in the words of any system; a `System` adds what is particular to one. A
file that looks like none of them is read by the common words alone, as `csv`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Final

from outreach.errors import ConfigurationError
from outreach.store.suppressions import Reason


class Role(StrEnum):
    """What a column may be besides a field of the person; `--map COLUMN=ROLE` says so by hand."""

    EMAIL = "email"
    NAME = "name"  # first and last in one
    LANGUAGE = "language"
    JOINED = "joined"
    AS_OF = "as_of"  # when the source last changed this row: the newest wins
    TOPICS = "topics"  # a list
    TOPIC = "topic"  # one; the file has a row per person and topic
    TOPIC_DATE = "topic_date"
    FREQUENCY = "frequency"
    ORIGIN = "origin"  # how the subscription came about: kept as evidence of consent
    CONFIRMED = "confirmed"  # when the double opt-in was clicked: kept as evidence too
    KIND = "kind"  # e-mail or SMS
    ATTRIBUTES = "attributes"  # a JSON object
    STATUS = "status"  # a word that may forbid us to write
    OPT_OUT = "opt_out"  # yes: never write
    OPT_OUT_DATE = "opt_out_date"
    IGNORE = "ignore"


@dataclass(frozen=True, slots=True)
class System:
    """One kind of export."""

    name: str
    signature: frozenset[str]
    """Headers (folded, or in the common words) of which all must be there."""
    columns: dict[str, str] = field(default_factory=dict)
    """Where its words differ from the common ones."""
    suppresses: Reason | None = None
    """Set if everybody in such a file must never be written to."""
    dates_confirmations: bool = False
    """It notes when each person confirmed; who has no such date never did, and is not subscribed."""


@lru_cache(maxsize=4096)
def folded(header: str) -> str:
    """`Mailing Zip/Postal Code` is `mailing_zip_postal_code`: how headers are compared, and fields named."""
    return re.sub(r"\W+", "_", header.casefold()).strip("_")


# The order is that in which sources are trusted when two values have the same date.
SYSTEMS: Final = (
    System(
        "mailchimp unsubscribed",
        frozenset({"email_address", "unsub_time"}),
        {"unsub_time": Role.OPT_OUT_DATE, "unsub_reason": Role.IGNORE},
        suppresses=Reason.UNSUBSCRIBE,
    ),
    System(
        "mailchimp cleaned",
        frozenset({"email_address", "clean_time"}),
        {"clean_time": Role.OPT_OUT_DATE, "clean_campaign_title": Role.IGNORE, "clean_campaign_id": Role.IGNORE},
        suppresses=Reason.BOUNCE,
    ),
    System(
        "mailchimp",
        frozenset({"email_address", "optin_time", "last_changed"}),
        {
            "optin_time": Role.JOINED,
            "confirm_time": Role.CONFIRMED,
            "last_changed": Role.AS_OF,
            "tags": Role.TOPICS,
            # Numbers of theirs, places guessed from networks, and networks: nothing we have a use for.
            **dict.fromkeys(
                ("leid", "euid", "optin_ip", "confirm_ip", "latitude", "longitude", "gmtoff", "dstoff", "cc", "region"),
                Role.IGNORE,
            ),
        },
        dates_confirmations=True,
    ),
    System(
        "listmonk",
        frozenset({"uuid", "email", "attributes", "status"}),
        {"uuid": Role.IGNORE, "attributes": Role.ATTRIBUTES, "created_at": Role.JOINED, "updated_at": Role.AS_OF},
    ),
    System(
        "salesforce",
        frozenset({"contact_id"}),
        {"last_activity": Role.AS_OF, "last_modified_date": Role.AS_OF, "letzte_aktivität": Role.AS_OF},
    ),
    System(
        "govdelivery",
        frozenset({"contact", "subscription_type", "topic_name"}),
        {
            "contact": Role.EMAIL,
            "subscription_type": Role.KIND,
            "topic_name": Role.TOPIC,
            "subscription_date": Role.TOPIC_DATE,
            "origin": Role.ORIGIN,
            "delivery_preference": Role.FREQUENCY,
        },
    ),
    # Messages about a person's own case: an address given for that is no consent to any topic.
    System("311", frozenset({"case", "email", "category"}), {"at": Role.AS_OF, "status": "case_status"}),
)
CSV: Final = System("csv", frozenset())
TRUSTED: Final = tuple(system.name for system in SYSTEMS)

_COMMON: Final[dict[str, str]] = {
    word: target
    for target, words in {
        Role.EMAIL: "email e_mail email_address e_mail_address mail e_mail_adresse email_adresse mail_adresse"
        " emailadresse correo correo_electrónico courriel primary_email email_1 contact_email",
        Role.NAME: "name full_name fullname vollständiger_name contact_name",
        "first_name": "first_name firstname first fname given_name vorname nombre prénom",
        "last_name": "last_name lastname last lname surname family_name nachname familienname apellido apellidos nom",
        "district": "district council_district bezirk stadtbezirk distrito",
        "zip": "zip zip_code zipcode postal_code postcode plz postleitzahl mailing_zip_postal_code mailing_zip"
        " mailing_postal_code código_postal",
        "renter": "renter is_renter mieter inquilino",
        "phone": "phone phone_number telephone telefon mobile mobile_phone handy teléfono",
        Role.LANGUAGE: "language preferred_language lang locale sprache bevorzugte_sprache idioma",
        Role.JOINED: "joined joined_at created_at created_date signup_date subscribed_at optin_time opt_in_time",
        Role.AS_OF: "as_of updated_at last_changed last_modified last_modified_date modified_at updated",
        Role.OPT_OUT: "email_opt_out e_mail_opt_out opt_out opted_out has_opted_out_of_email hasoptedoutofemail"
        " unsubscribed do_not_email do_not_contact e_mail_abgemeldet abgemeldet",
        Role.OPT_OUT_DATE: "unsub_time unsubscribed_at opt_out_date",
        Role.TOPICS: "topics topic_list",
        Role.TOPIC: "topic topic_name",
        Role.FREQUENCY: "frequency delivery_preference",
        Role.STATUS: "status subscription_status email_status",
        "contact_id": "contact_id kontakt_id kontaktnummer",
        Role.CONFIRMED: "confirm_time confirmed_at",
    }.items()
    for word in words.split()
}

# Words of STATUS that forbid us to write, in any system.
FORBIDDING: Final = {
    "blocklisted": Reason.MANUAL,
    "blacklisted": Reason.MANUAL,
    "blocked": Reason.MANUAL,
    "disabled": Reason.MANUAL,  # listmonk sends no campaigns to them
    "suppressed": Reason.MANUAL,
    "archived": Reason.MANUAL,
    "unsubscribed": Reason.UNSUBSCRIBE,
    "unsub": Reason.UNSUBSCRIBE,
    "opted_out": Reason.UNSUBSCRIBE,
    "opt_out": Reason.UNSUBSCRIBE,
    "abgemeldet": Reason.UNSUBSCRIBE,
    "bounced": Reason.BOUNCE,
    "cleaned": Reason.BOUNCE,
    "complained": Reason.COMPLAINT,
    "spam": Reason.COMPLAINT,
}
FREQUENCIES: Final = {
    "immediate": 0,
    "at_once": 0,
    "daily": 1,
    "daily_digest": 1,
    "weekly": 2,
    "weekly_digest": 2,
}


def trusted(text: str) -> tuple[str, ...]:
    """An order of sources as `import.trusted` lists it, the most trusted first; who is not named comes behind."""
    named = tuple(dict.fromkeys(word.strip().lower() for word in text.split(",") if word.strip()))
    known = (*TRUSTED, CSV.name)
    for name in named:
        if name not in known:
            raise ConfigurationError(f"import.trusted names {name!r}; there are {', '.join(known)}")
    return (*named, *(name for name in TRUSTED if name not in named))


def recognise(header: tuple[str, ...]) -> System:
    """The system that writes such a header."""
    words = {word for name in header for word in known_as(name)}
    return next((system for system in SYSTEMS if system.signature <= words), CSV)


def known_as(name: str, system: System = CSV) -> tuple[str, str]:
    """A header, folded, and the field or role it stands for; its own name where nobody knows it."""
    word = folded(name)
    return word, system.columns.get(word) or _COMMON.get(word, word)
