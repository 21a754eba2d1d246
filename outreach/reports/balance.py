"""The balance: everybody of the frozen audience is in exactly one state, and the states add up to the person.

If they do not, something lost or invented a delivery, and no figure of that campaign may be shown.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from outreach.errors import OutreachError
from outreach.reports.words import plain
from outreach.store.deliveries import State
from outreach.store.tables import campaign, delivery

MOST_REASONS = 8
_EXPLAINED = (State.BOUNCED, State.QUARANTINED, State.SUPPRESSED, State.EXCLUDED, State.EXPIRED)
_CODE = re.compile(r"\b[245]\.(\d{1,3})\.(\d{1,3})\b")
_REPLIES = (  # RFC 3463 section 3: the subject and detail of an enhanced status code
    (re.compile(r"1\.(1|2|3|10)"), "no such address"),
    (re.compile(r"1\.6|2\.1"), "mailbox closed or moved"),
    (re.compile(r"2\.2"), "mailbox full"),
    (re.compile(r"3\.4|2\.3"), "message too big"),
    (re.compile(r"2\.\d+"), "mailbox cannot take mail"),
    (re.compile(r"7\.\d+"), "refused by the receiver's policy"),
    (re.compile(r"4\.\d+"), "receiver could not be reached"),
)


class DoesNotBalance(OutreachError):
    """The states of a campaign's deliveries do not add up to its frozen audience."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why some of a state's people are in it, the commonest first."""

    text: str
    count: int


@dataclass(frozen=True, slots=True)
class Balance:
    """Where everybody of one campaign's frozen audience is."""

    campaign: str
    frozen: int
    counts: Mapping[State, int]
    reasons: Mapping[State, tuple[Reason, ...]]

    def __getitem__(self, state: State) -> int:
        return self.counts.get(state, 0)

    @property
    def attempted(self) -> int:
        """People whose message was handed over, whatever came of it."""
        return self[State.ACCEPTED] + self[State.BOUNCED] + self[State.IN_DOUBT]

    @property
    def open(self) -> int:
        """People for whom something is still to happen."""
        return sum(self[state] for state in State if state.open)

    def check(self) -> None:
        """Raise DoesNotBalance unless the states add up to the frozen audience."""
        total = sum(self.counts.values())
        if total != self.frozen:
            raise DoesNotBalance(
                f"the books of {self.campaign} do not balance: {self.frozen:,} people were frozen, {total:,} are"
                " accounted for; do not send it again before this is understood: run `outreach doctor` and compare the"
                " database with the last backup"
            )

    def as_json(self) -> dict[str, int]:
        return {"frozen": self.frozen} | {state.word: self[state] for state in State}


def balance(connection: Connection, campaign_id: int) -> Balance:
    """The balance of a campaign as it stands; `.check()` says whether it may be believed."""
    name, frozen = connection.execute(
        select(campaign.c.name, campaign.c.frozen).where(campaign.c.id == campaign_id)
    ).one()
    counts: Counter[State] = Counter()
    reasons: dict[State, Counter[str]] = {state: Counter() for state in _EXPLAINED}
    rows = connection.execute(
        select(delivery.c.state, func.count()).where(delivery.c.campaign_id == campaign_id).group_by(delivery.c.state)
    )
    for number, count in rows:
        counts[State(number)] = count
    explained = connection.execute(
        select(delivery.c.state, delivery.c.reason, func.count())
        .where(delivery.c.campaign_id == campaign_id, delivery.c.state.in_([state.value for state in _EXPLAINED]))
        .group_by(delivery.c.state, delivery.c.reason)
    )
    for number, text, count in explained:
        state = State(number)
        reasons[state][_why(state, text or "")] += count
    return Balance(
        plain(name),
        frozen,
        {state: counts[state] for state in State},
        {state: _commonest(found) for state, found in reasons.items() if found},
    )


def _why(state: State, text: str) -> str:
    # An expired message was put off by a server, or nobody tried it in time: only the first left a code.
    if state is State.BOUNCED or (state is State.EXPIRED and _CODE.search(text)):
        return _reply(text)
    return plain(text or "no reason given")


def _reply(reply: str) -> str:
    """A server's refusal in a few words; servers word the same refusal in a thousand ways."""
    found = _CODE.search(reply)
    if found is None:
        return "another reason"
    code = f"{int(found[1])}.{int(found[2])}"
    return next((words for pattern, words in _REPLIES if pattern.fullmatch(code)), "another reason")


def _commonest(found: Counter[str]) -> tuple[Reason, ...]:
    ranked = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    shown = [Reason(text, count) for text, count in ranked[:MOST_REASONS]]
    if rest := sum(count for _, count in ranked[MOST_REASONS:]):
        shown.append(Reason("other reasons", rest))
    return tuple(shown)
