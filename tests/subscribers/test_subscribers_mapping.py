"""Headers are understood in several systems' words, and each row in its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from outreach.errors import UsageError
from outreach.store.suppressions import Reason
from outreach.subscribers.mapping import Mapping, Person, Rejected, propose
from outreach.subscribers.reading import open_table
from outreach.subscribers.records import Unreadable
from tests.subscribers.people_files import (
    govdelivery,
    listmonk,
    mailchimp,
    mailchimp_unsubscribed,
    salesforce,
    table,
    written,
)


def mapped(folder: Path, content: str, **by_hand: str) -> tuple[Mapping, list[Person | Rejected]]:
    found = open_table(written(folder, "people.csv", content))
    mapping = propose(found, by_hand, types={"floor": "number"}, default_at=1_760_000_000_000)
    return mapping, [mapping(cells) for _number, cells in found.rows() if not isinstance(cells, Unreadable)]


def only(folder: Path, content: str, **by_hand: str) -> Person:
    (person,) = mapped(folder, content, **by_hand)[1]
    assert isinstance(person, Person)
    return person


@pytest.mark.parametrize(
    ("content", "system"),
    [
        (mailchimp({"Email Address": "ada@x.example"}), "mailchimp"),
        (mailchimp_unsubscribed("ada@x.example"), "mailchimp unsubscribed"),
        (salesforce({"E-Mail": "ada@x.example"}), "salesforce"),
        ("Kontakt-ID;Vorname;E-Mail;E-Mail-Opt-Out\n1;Ada;ada@x.example;0\n", "salesforce"),
        ("Contact ID,First Name,Email,Email Opt Out\n1,Ada,ada@x.example,0\n", "salesforce"),
        (govdelivery(("ada@x.example", "EMAIL", "Parking", "01/02/2017 02:58 PM", "Immediate")), "govdelivery"),
        (listmonk(("ada@x.example", "Ada Lee", {}, "enabled", "2022-01-01T00:00:00Z")), "listmonk"),
        ("Email,Ward\nada@x.example,North\n", "csv"),
    ],
)
def test_systems_are_known_by_their_headers(tmp_path: Path, content: str, system: str) -> None:
    assert mapped(tmp_path, content)[0].system.name == system


def test_a_listmonk_row_with_its_attributes(tmp_path: Path) -> None:
    attributes = {"district": 4, "zip": "95839", "language": "English", "renter": True, "floor": "3", "dog": "Rex"}
    person = only(tmp_path, listmonk(("Ada@x.example", "Ada St. John", attributes, "enabled", "2022-09-25T00:10:00Z")))
    assert (person.address, person.locale, person.suppress) == ("ada@x.example", "en", None)
    assert person.attributes == {
        "first_name": "Ada",
        "last_name": "St. John",
        "district": "4",
        "zip": "95839",
        "renter": True,
        "floor": 3,
        "dog": "Rex",
    }


def test_a_govdelivery_row_is_one_topic_with_its_frequency(tmp_path: Path) -> None:
    row = ("ada@x.example", "EMAIL", "Parking & street sweeping", "01/02/2017 02:58 PM", "Weekly Digest")
    (wish,) = only(tmp_path, govdelivery(row)).wishes
    assert (wish.topic, wish.at, wish.frequency) == ("Parking & street sweeping", 1_483_369_080_000, 2)


def test_a_subscription_by_text_message_is_rejected_as_that(tmp_path: Path) -> None:
    (rejected,) = mapped(tmp_path, govdelivery(("+1 916 555 3110", "SMS", "Housing", "", "Immediate")))[1]
    assert rejected == Rejected("Contact", "+1 916 555 3110", "a subscription by SMS, not by e-mail")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (mailchimp_unsubscribed("ada@x.example"), Reason.UNSUBSCRIBE),
        (salesforce({"E-Mail": "ada@x.example", "Email Opt Out": "1"}), Reason.UNSUBSCRIBE),
        (salesforce({"E-Mail": "ada@x.example", "Email Opt Out": "perhaps"}), Reason.UNSUBSCRIBE),
        (salesforce({"E-Mail": "ada@x.example", "Email Opt Out": "0"}), None),
        (salesforce({"E-Mail": "ada@x.example", "Email Opt Out": ""}), None),
        (listmonk(("ada@x.example", "Ada", {}, "blocklisted", "")), Reason.MANUAL),
        ("email,status\nada@x.example,Unsubscribed\n", Reason.UNSUBSCRIBE),
        ("email,unsubscribed_at\nada@x.example,2024-01-01\n", Reason.UNSUBSCRIBE),
        ("Email Address,CLEAN_TIME\nada@x.example,2024-01-01 10:00:00\n", Reason.BOUNCE),
    ],
)
def test_who_must_not_be_written_to(tmp_path: Path, content: str, reason: Reason | None) -> None:
    assert only(tmp_path, content).suppress is reason


def test_a_blocklisted_person_with_broken_attributes_is_still_blocklisted(tmp_path: Path) -> None:
    broken = listmonk(("ada@x.example", "Ada", {}, "blocklisted", "")).replace("{}", "{oops")
    assert only(tmp_path, broken).suppress is Reason.MANUAL
    (rejected,) = mapped(tmp_path, broken.replace("blocklisted", "enabled"))[1]
    assert isinstance(rejected, Rejected)


def test_a_row_out_of_shape_is_refused_unless_all_it_can_do_is_suppress(tmp_path: Path) -> None:
    _, found = mapped(tmp_path, "email,opt_out,district\nada@x.example\nbob@x.example,0\neve@x.example,0,3,4\n")
    assert [type(each).__name__ for each in found] == ["Rejected", "Person", "Rejected"]
    unsubscribed = "Email Address,UNSUB_TIME,UNSUB_REASON\nada@x.example,2024-01-01 10:00:00,too many, really\n"
    assert only(tmp_path, unsubscribed).suppress is Reason.UNSUBSCRIBE


def test_columns_mapped_by_hand_come_first(tmp_path: Path) -> None:
    content = "Email,Work Email,Ward\nprivate@x.example,ada@x.example,District 3\n"
    person = only(tmp_path, content, **{"Work Email": "email", "Ward": "district"})
    assert (person.address, person.attributes) == ("ada@x.example", {"district": "3"})


def test_an_unknown_column_is_an_error_that_guesses(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"has no column 'Work Emial'; did you mean 'Work Email'\?"):
        mapped(tmp_path, "Work Email\nada@x.example\n", **{"Work Emial": "email"})
    with pytest.raises(UsageError, match="cannot be a field"):
        mapped(tmp_path, "Work Email\nada@x.example\n", **{"Work Email": "1 - x"})


def test_the_column_of_addresses_is_found_by_its_cells_or_asked_for(tmp_path: Path) -> None:
    assert only(tmp_path, "Kontakt,Ort\nada@x.example,Wien\n").address == "ada@x.example"
    with pytest.raises(UsageError, match="--map COLUMN=email"):
        mapped(tmp_path, "a,b\n1,2\n")
    with pytest.raises(UsageError, match="no header"):
        mapped(tmp_path, "ada@x.example,Ada\nbob@x.example,Bob\n")


def test_other_columns_keep_their_names_as_fields(tmp_path: Path) -> None:
    person = only(tmp_path, table(["email", "Tax Zone", "2024", "=x"], [["ada@x.example", "A", "yes", "'=1+1"]]))
    assert person.attributes == {"tax_zone": "A", "column_2024": "yes", "x": "=1+1"}


def test_dates_of_rows_and_files(tmp_path: Path) -> None:
    assert only(tmp_path, "email,district\nada@x.example,3\n").at == 1_760_000_000_000  # the file's own
    dated = "email,updated_at\nada@x.example,2024-01-01\nbob@x.example,\n"
    assert [each.at for each in mapped(tmp_path, dated)[1] if isinstance(each, Person)] == [1_704_067_200_000, 0]
