"""Errors that a person can act on, each with the exit code the command ends with.

The message says what happened, where, and what to do. The codes are a stable interface (see
`outreach --help`): cron jobs and scripts branch on them.
"""

from __future__ import annotations

from typing import ClassVar


class OutreachError(Exception):
    """Something went wrong that a person can mend; the message says how."""

    exit_code: ClassVar[int] = 1


class UsageError(OutreachError):
    """The command was called in a way it cannot follow, or would have to ask with nobody there."""

    exit_code = 2


class ApprovalMissing(OutreachError):
    """Someone has to log in, be permitted, or approve first."""

    exit_code = 4


class FinishedWithExceptions(OutreachError):
    """The work is done, but not for everybody: quarantined or in doubt. Details are in the message."""

    exit_code = 5


class Blocked(OutreachError):
    """A safety rule stopped this: the gate, a breaker, quiet hours, drift since approval."""

    exit_code = 6


class TryAgain(OutreachError):
    """Nothing is wrong that time will not mend: a lock, a busy database, an unreachable relay.

    75 is sysexits' EX_TEMPFAIL, so that cron wrappers and mail servers understand it too.
    """

    exit_code = 75


class ConfigurationError(OutreachError):
    """A setting, key or file is missing or wrong (sysexits' EX_CONFIG)."""

    exit_code = 78


class Interrupted(OutreachError):
    """Stopped by Ctrl-C or a signal; running the same command again resumes."""

    exit_code = 130
