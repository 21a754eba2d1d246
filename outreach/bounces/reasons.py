"""Why a mail did not arrive: the words, and what kind of trouble each is.

The names are those postmasters already know from Sisimai, so that its labels and ours compare one
to one. A reason says nothing yet about hard or soft: `classify` decides that together with the code.
"""

from __future__ import annotations

from enum import StrEnum


class Group(StrEnum):
    """What kind of trouble. Only the first two are about the person."""

    GONE = "address gone"
    MAILBOX = "mailbox full or away"
    POLICY = "policy or reputation"
    CONTENT = "content"
    RATE = "rate"
    AUTHENTICATION = "authentication"
    NETWORK = "network"
    SYSTEM = "system"
    UNKNOWN = "unknown"
    NONE = "no trouble"

    @property
    def personal(self) -> bool:
        """True if it is about this one address: nothing else may ever count against a person."""
        return self in (Group.GONE, Group.MAILBOX)


class Reason(StrEnum):
    """One cause, as a postmaster would name it."""

    USER_UNKNOWN = "userunknown"
    HOST_UNKNOWN = "hostunknown"
    HAS_MOVED = "hasmoved"
    NOT_ACCEPT = "notaccept"
    MAILBOX_FULL = "mailboxfull"
    SUSPEND = "suspend"
    FILTERED = "filtered"
    ON_HOLD = "onhold"
    EXCEED_LIMIT = "exceedlimit"
    VACATION = "vacation"
    REJECTED = "rejected"
    BLOCKED = "blocked"
    BAD_REPUTATION = "badreputation"
    POLICY_VIOLATION = "policyviolation"
    NO_RELAYING = "norelaying"
    REQUIRE_PTR = "requireptr"
    SECURITY_ERROR = "securityerror"
    SUPPRESSED = "suppressed"
    SPAM_DETECTED = "spamdetected"
    VIRUS_DETECTED = "virusdetected"
    CONTENT_ERROR = "contenterror"
    TOO_BIG = "mesgtoobig"
    NOT_COMPLIANT = "notcompliantrfc"
    RATE_LIMITED = "ratelimited"
    TOO_MANY_CONNECTIONS = "toomanyconn"
    GREYLISTED = "greylisted"
    AUTH_FAILURE = "authfailure"
    FAILED_STARTTLS = "failedstarttls"
    CREDENTIALS = "credentials"
    NETWORK_ERROR = "networkerror"
    EXPIRED = "expired"
    SYSTEM_ERROR = "systemerror"
    SYSTEM_FULL = "systemfull"
    MAILER_ERROR = "mailererror"
    SYNTAX_ERROR = "syntaxerror"
    UNDEFINED = "undefined"
    DELIVERED = "delivered"
    FEEDBACK = "feedback"

    @property
    def group(self) -> Group:
        return _GROUPS[self]


HARD = frozenset({Reason.USER_UNKNOWN, Reason.HOST_UNKNOWN, Reason.HAS_MOVED})
"""There is nobody there. NOT_ACCEPT joins them when the code is permanent: the domain takes no mail at all."""

_GROUPS = {
    **dict.fromkeys((Reason.USER_UNKNOWN, Reason.HOST_UNKNOWN, Reason.HAS_MOVED, Reason.NOT_ACCEPT), Group.GONE),
    **dict.fromkeys(
        (Reason.MAILBOX_FULL, Reason.SUSPEND, Reason.FILTERED, Reason.EXCEED_LIMIT, Reason.VACATION),
        Group.MAILBOX,
    ),
    **dict.fromkeys(
        (
            Reason.REJECTED,
            Reason.BLOCKED,
            Reason.BAD_REPUTATION,
            Reason.POLICY_VIOLATION,
            Reason.NO_RELAYING,
            Reason.REQUIRE_PTR,
            Reason.SECURITY_ERROR,
            Reason.SUPPRESSED,
        ),
        Group.POLICY,
    ),
    **dict.fromkeys(
        (
            Reason.SPAM_DETECTED,
            Reason.VIRUS_DETECTED,
            Reason.CONTENT_ERROR,
            Reason.TOO_BIG,
            Reason.NOT_COMPLIANT,
        ),
        Group.CONTENT,
    ),
    **dict.fromkeys((Reason.RATE_LIMITED, Reason.TOO_MANY_CONNECTIONS, Reason.GREYLISTED), Group.RATE),
    **dict.fromkeys((Reason.AUTH_FAILURE, Reason.FAILED_STARTTLS, Reason.CREDENTIALS), Group.AUTHENTICATION),
    **dict.fromkeys((Reason.NETWORK_ERROR, Reason.EXPIRED), Group.NETWORK),
    **dict.fromkeys((Reason.SYSTEM_ERROR, Reason.SYSTEM_FULL, Reason.MAILER_ERROR, Reason.SYNTAX_ERROR), Group.SYSTEM),
    **dict.fromkeys((Reason.UNDEFINED, Reason.ON_HOLD), Group.UNKNOWN),
    **dict.fromkeys((Reason.DELIVERED, Reason.FEEDBACK), Group.NONE),
}
