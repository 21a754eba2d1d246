"""Of several values the newest stands, letters before damage, whatever the order they come in."""

from hypothesis import given
from hypothesis import strategies as st

from outreach.subscribers.folding import Account, Fold

fold = Fold(["mailchimp", "salesforce"])


def said(source: str, at: int, **values: str) -> Account:
    return Account(values, (at, source), {}, at)


def test_the_newest_wins_field_by_field() -> None:
    folded = fold(said("mailchimp", 2, zip="95814", district="3"), said("salesforce", 1, zip="95811", phone="311"))
    assert folded.values == {"zip": "95814", "district": "3", "phone": "311"}
    assert (folded.stamp, folded.exceptions, folded.joined) == ((2, "mailchimp"), {"phone": (1, "salesforce")}, 1)


def test_on_the_same_date_the_more_trusted_source_wins_and_then_the_later_row() -> None:
    assert fold(said("mailchimp", 1, zip="a"), said("salesforce", 1, zip="b")).values == {"zip": "a"}
    assert fold(said("mailchimp", 1, zip="a"), said("mailchimp", 1, zip="b")).values == {"zip": "b"}


def test_a_name_with_lost_letters_never_replaces_a_whole_one() -> None:
    folded = fold(said("mailchimp", 1, last_name="Dvořák"), said("salesforce", 2, last_name="Dvo?ák"))
    assert folded.values == {"last_name": "Dvořák"}


accounts = st.builds(
    lambda source, at, values: Account(values, (at, source), {}, at),
    st.sampled_from(["mailchimp", "salesforce", "listmonk", "csv"]),
    st.integers(0, 3),
    st.dictionaries(
        st.sampled_from(["zip", "last_name", "phone"]), st.sampled_from(["A", "B", "Tr?n", "C"]), max_size=3
    ),
)


@given(st.lists(accounts, min_size=1, max_size=5, unique_by=lambda each: each.stamp), st.randoms())
def test_the_order_of_accounts_cannot_matter(told: list[Account], dice) -> None:
    def together(some: list[Account]) -> tuple:
        folded = some[0]
        for each in some[1:]:
            folded = fold(folded, each)
        return dict(folded.values), {name: folded.stamp_of(name) for name in folded.values}, folded.joined

    shuffled = list(told)
    dice.shuffle(shuffled)
    assert together(told) == together(shuffled)
