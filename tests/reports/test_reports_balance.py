"""Everybody is accounted for, or nothing is shown."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, insert, update

from outreach.reports.balance import DoesNotBalance, Reason, balance
from outreach.store.campaigns import Campaign
from outreach.store.database import Store
from outreach.store.deliveries import State
from outreach.store.tables import delivery


def test_the_balance_is_the_truth_state_by_state(store: Store, sweeping: tuple) -> None:
    _, truth = sweeping
    with store.read() as connection:
        books = balance(connection, 1)
    books.check()
    assert {state: books[state] for state in State} == {state: truth.states[state] for state in State}
    assert books.as_json() == {
        "frozen": 2_000, "waiting": 0, "sending": 0, "accepted": 1_960, "bounced": 26, "quarantined": 0,
        "suppressed": 7, "excluded": 5, "expired": 0, "cancelled": 0, "in_doubt": 2,
    }  # fmt: skip
    assert list(books.as_json()) == ["frozen", *(state.word for state in State)]


def test_a_thousand_wordings_of_one_refusal_are_one_reason(store: Store, sweeping: tuple) -> None:
    with store.read() as connection:
        reasons = balance(connection, 1).reasons
    assert reasons == {
        State.BOUNCED: (Reason("no such address", 16), Reason("mailbox full", 10)),
        State.SUPPRESSED: (Reason("bounce", 6), Reason("complaint", 1)),
        State.EXCLUDED: (Reason("unsubscribed since the plan", 5),),
    }


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        ("550 5.1.10 RESOLVER.ADR.RecipientNotFound", "no such address"),
        ("550-5.7.26 This mail has been blocked", "refused by the receiver's policy"),
        ("552 5.3.4 message too big", "message too big"),
        ("552 5.2.3 message exceeds local size limit", "message too big"),
        ("550 5.2.1 mailbox disabled", "mailbox closed or moved"),
        ("550 go away", "another reason"),
        ("550 from 15.1.1.7", "another reason"),
    ],
)
def test_a_refusal_in_a_few_words(store: Store, sweeping: tuple, reply: str, words: str) -> None:
    with store.write() as connection:
        connection.execute(update(delivery).where(delivery.c.state == State.BOUNCED.value).values(reason=reply))
        assert balance(connection, 1).reasons[State.BOUNCED] == (Reason(words, 26),)


def test_an_expired_message_was_put_off_or_never_tried(store: Store, sweeping: tuple) -> None:
    with store.write() as connection:
        for reply, person in (("452 4.2.2 this mailbox is full", 1), ("past its last moment", 2)):
            connection.execute(
                update(delivery)
                .where(delivery.c.subscriber_id == person)
                .values(state=State.EXPIRED.value, reason=reply)
            )
        reasons = balance(connection, 1).reasons[State.EXPIRED]
    assert reasons == (Reason("mailbox full", 1), Reason("past its last moment", 1))


@pytest.mark.parametrize("wrong", ["lost", "invented"])
def test_one_person_too_many_or_too_few_is_an_error(
    store: Store, sweeping: tuple[Campaign, object], wrong: str
) -> None:
    with store.write() as connection:
        if wrong == "lost":
            connection.execute(delete(delivery).where(delivery.c.subscriber_id == 17))
        else:
            connection.execute(insert(delivery).values(campaign_id=1, subscriber_id=9_999, state=State.ACCEPTED.value))
        books = balance(connection, 1)
    with pytest.raises(DoesNotBalance, match=r"street-sweeping-1 do not balance: 2,000 people .* (1,999|2,001) are"):
        books.check()
