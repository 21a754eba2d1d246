"""An import brings people in, adds up to the row, and never lifts, empties or half-does anything."""

from __future__ import annotations

import csv
import datetime as dt
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import func, select

from outreach.errors import UsageError
from outreach.store import consent, subscribers, suppressions, tables
from outreach.store.consent import Frequency, SubscriptionStatus
from outreach.store.database import Store
from outreach.store.suppressions import Reason
from outreach.subscribers.importing import Options, Result, import_file
from tests.subscribers.people_files import (
    govdelivery,
    listmonk,
    mailchimp,
    mailchimp_unsubscribed,
    salesforce,
    written,
)

NOW = dt.datetime(2026, 11, 21, 12, 0, tzinfo=dt.UTC)
ADA = {
    "Email Address": "Ada@City.example",
    "First Name": "Ada",
    "District": "3",
    "Language": "en",
    "OPTIN_TIME": "2020-01-02 10:00:00",
    "LAST_CHANGED": "2024-01-02 10:00:00",
    "TAGS": '"Housing","Parking & street sweeping"',
}


def bring(
    store: Store, folder: Path, content: str, *, options: Options | None = None, at: int = 1_760_000_000
) -> Result:
    path = written(folder, "people.csv", content, at=at)
    return import_file(store, path, now=NOW, rejects_folder=folder / "rejects", options=options)


def counts(result: Result) -> dict[str, int]:
    found = {name: value for name, value in result.counts().items() if isinstance(value, int) and value}
    rows = found.pop("rows")
    assert sum(found.values()) == rows
    return found


def person(store: Store, address: str) -> subscribers.Subscriber:
    with store.read() as connection:
        found = subscribers.find(connection, address)
    assert found is not None
    return found


def topics(store: Store, address: str) -> dict[str, tuple[SubscriptionStatus, Frequency]]:
    with store.read() as connection:
        known = subscribers.find(connection, address)
        assert known is not None
        return {each.topic: (each.status, each.frequency) for each in consent.subscriptions_of(connection, known.id)}


def size(store: Store, table: str) -> int:
    with store.read() as connection:
        return connection.scalar(select(func.count()).select_from(tables.main.tables[table])) or 0


def test_a_person_arrives_whole(store: Store, tmp_path: Path) -> None:
    assert counts(bring(store, tmp_path, mailchimp(ADA))) == {"new": 1}
    ada = person(store, "ada@city.example")
    assert (ada.attributes, ada.locale) == ({"first_name": "Ada", "district": "3"}, "en")
    assert ada.joined_at == dt.datetime(2020, 1, 2, 10, tzinfo=dt.UTC)
    assert topics(store, "ada@city.example") == {
        "Housing": (SubscriptionStatus.CONFIRMED, Frequency.AT_ONCE),
        "Parking & street sweeping": (SubscriptionStatus.CONFIRMED, Frequency.AT_ONCE),
    }
    with store.read() as connection:
        slot = connection.scalar(select(tables.profile.c.t1).where(tables.profile.c.subscriber_id == ada.id))
        (first, _second) = consent.history_of(connection, ada.id)
    assert slot == "3"
    assert (first.given, first.source) == (True, "mailchimp export people.csv")
    assert first.evidence == {"file": "people.csv", "row": 2, "confirmed": ADA["OPTIN_TIME"]}


def test_who_never_confirmed_at_mailchimp_is_not_subscribed_until_another_file_proves_it(
    store: Store, tmp_path: Path
) -> None:
    unproved = mailchimp({**ADA, "CONFIRM_TIME": "", "TAGS": "Housing"})
    proved = mailchimp({**ADA, "TAGS": "Housing"})
    bring(store, tmp_path, unproved)
    assert topics(store, "ada@city.example")["Housing"][0] is SubscriptionStatus.UNCONFIRMED
    assert size(store, "consent") == 0
    bring(store, tmp_path, proved)
    assert topics(store, "ada@city.example")["Housing"][0] is SubscriptionStatus.CONFIRMED
    assert size(store, "consent") == 1
    bring(store, tmp_path, unproved)
    assert topics(store, "ada@city.example")["Housing"][0] is SubscriptionStatus.CONFIRMED


def test_the_same_file_again_changes_nothing(store: Store, tmp_path: Path) -> None:
    bring(store, tmp_path, mailchimp(ADA))
    before = {name: size(store, name) for name in ("subscriber", "subscription", "consent", "topic")}
    assert counts(bring(store, tmp_path, mailchimp(ADA))) == {"unchanged": 1}
    assert {name: size(store, name) for name in before} == before


def test_each_row_is_counted_once(store: Store, tmp_path: Path) -> None:
    bring(store, tmp_path, mailchimp(ADA, {"Email Address": "eve@city.example", "LAST_CHANGED": "2024-01-01 00:00:00"}))
    bring(store, tmp_path, mailchimp_unsubscribed("left@city.example"))
    result = bring(
        store,
        tmp_path,
        mailchimp(
            {**ADA, "LAST_CHANGED": "2025-01-01 00:00:00", "District": "4"},
            {**ADA, "Email Address": " <ADA@city.example> "},
            {"Email Address": "bob@city.example"},
            {"Email Address": "bob@city.example", "TAGS": "Housing"},
            {"Email Address": "eve@city.example"},
            {"Email Address": "left@city.example"},
            {"Email Address": "no address"},
        ),
    )
    assert counts(result) == {
        "changed": 1,
        "new": 1,
        "unchanged": 1,
        "duplicates": 2,
        "suppressed": 1,
        "rejected": 1,
    }
    assert list(topics(store, "bob@city.example")) == ["Housing"]


def test_a_row_for_each_topic_subscribes_to_all_of_them(store: Store, tmp_path: Path) -> None:
    content = govdelivery(
        ("ada@city.example", "EMAIL", "Housing", "01/02/2017 02:58 PM", "Weekly Digest"),
        ("ada@city.example", "EMAIL", "Road works", "01/02/2017 02:58 PM", "Immediate"),
        ("+1 916 555 3110", "SMS", "Road works", "01/02/2017 02:58 PM", "Immediate"),
    )
    assert counts(bring(store, tmp_path, content)) == {"new": 1, "duplicates": 1, "rejected": 1}
    assert topics(store, "ada@city.example") == {
        "Housing": (SubscriptionStatus.CONFIRMED, Frequency.WEEKLY),
        "Road works": (SubscriptionStatus.CONFIRMED, Frequency.AT_ONCE),
    }
    # Mailchimp knows nothing of frequencies, so it has none to overrule.
    assert counts(bring(store, tmp_path, mailchimp({**ADA, "TAGS": "housing"}))) == {"changed": 1}
    assert topics(store, "ada@city.example")["Housing"] == (SubscriptionStatus.CONFIRMED, Frequency.WEEKLY)


def test_an_empty_cell_never_erases_and_an_older_value_never_replaces(store: Store, tmp_path: Path) -> None:
    bring(store, tmp_path, mailchimp(ADA))
    newer = {**ADA, "First Name": "", "District": "5", "LAST_CHANGED": "2025-01-01 00:00:00", "Language": ""}
    older = {**ADA, "Last Name": "Lovelace", "District": "1", "LAST_CHANGED": "2019-01-01 00:00:00"}
    assert counts(bring(store, tmp_path, mailchimp(newer))) == {"changed": 1}
    assert counts(bring(store, tmp_path, mailchimp(older))) == {"changed": 1}
    ada = person(store, "ada@city.example")
    assert ada.attributes == {"first_name": "Ada", "district": "5", "last_name": "Lovelace"}
    assert ada.locale == "en"


def test_a_corrected_file_without_dates_replaces_what_it_said_before(store: Store, tmp_path: Path) -> None:
    bring(store, tmp_path, "email,district\nada@city.example,3\n", at=1_760_000_000)
    assert counts(bring(store, tmp_path, "email,district\nada@city.example,4\n", at=1_760_000_500)) == {"changed": 1}
    assert person(store, "ada@city.example").attributes == {"district": "4"}


@pytest.mark.parametrize(
    ("forbidding", "reason"),
    [
        (mailchimp_unsubscribed("ADA@city.example"), Reason.UNSUBSCRIBE),
        (salesforce({"E-Mail": "ada@city.example", "Email Opt Out": "1"}), Reason.UNSUBSCRIBE),
        (listmonk(("ada@city.example", "Ada", {}, "blocklisted", "2024-01-01T00:00:00Z")), Reason.MANUAL),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_who_opted_out_anywhere_is_never_revived(
    store: Store, tmp_path: Path, forbidding: str, reason: Reason, first: bool
) -> None:
    order = [forbidding, mailchimp(ADA)] if first else [mailchimp(ADA), forbidding]
    for content in [*order, mailchimp({**ADA, "LAST_CHANGED": "2026-10-01 00:00:00"})]:
        last = counts(bring(store, tmp_path, content))
    assert last == {"suppressed": 1}
    with store.read() as connection:
        found = suppressions.find(connection, "ada@city.example")
    assert found is not None
    # Whoever chooses an audience finds the suppression by the person.
    assert (found.reason, found.subscriber_id) == (reason, person(store, "ada@city.example").id)


def test_who_left_a_topic_stays_away_from_it(store: Store, tmp_path: Path) -> None:
    bring(store, tmp_path, mailchimp(ADA))
    with store.write() as connection:
        ada = subscribers.find(connection, "ada@city.example")
        assert ada is not None
        (topic_id,) = connection.scalars(select(tables.topic.c.id).where(tables.topic.c.key == "housing"))
        assert consent.unsubscribe(connection, subscriber_id=ada.id, topic_id=topic_id, source="link", at=NOW)
    content = govdelivery(("ada@city.example", "EMAIL", "HOUSING", "11/20/2026 02:58 PM", "Daily Digest"))
    bring(store, tmp_path, content)
    assert topics(store, "ada@city.example")["Housing"][0] is SubscriptionStatus.UNSUBSCRIBED
    with store.read() as connection:
        said = [line.given for line in consent.history_of(connection, ada.id) if line.topic == "Housing"]
    assert said == [True, False]


def test_a_graver_reason_stays(store: Store, tmp_path: Path) -> None:
    with store.write() as connection:
        suppressions.suppress(connection, "ada@city.example", reason=Reason.COMPLAINT, source="arf", at=NOW)
        suppressions.suppress(connection, "bob@city.example", reason=Reason.BOUNCE, source="dsn", at=NOW)
    bring(store, tmp_path, mailchimp_unsubscribed("ada@city.example", "bob@city.example"))
    with store.read() as connection:
        reasons = [suppressions.find(connection, name) for name in ("ada@city.example", "bob@city.example")]
    assert [each.reason for each in reasons if each] == [Reason.COMPLAINT, Reason.UNSUBSCRIBE]


def test_a_topic_for_everybody_with_its_source(store: Store, tmp_path: Path) -> None:
    options = Options(topic="Parks", source="spring fair 2026")
    bring(store, tmp_path, "email\nada@city.example\nbob@city.example\n", options=options)
    assert list(topics(store, "bob@city.example")) == ["Parks"]
    with store.read() as connection:
        (line,) = consent.history_of(connection, person(store, "bob@city.example").id)
    assert (line.source, line.topic, line.evidence) == ("spring fair 2026", "Parks", {"file": "people.csv", "row": 3})


def test_rejected_rows_are_in_a_file_with_row_value_and_reason(store: Store, tmp_path: Path) -> None:
    content = "email;note\nada@city.example;fine\n=cmd|'/c calc'!A1;x\nnot an address;y\n;\nGesamt;\n"
    result = bring(store, tmp_path, content)
    assert counts(result) == {"new": 1, "rejected": 4}
    assert result.rejects_file is not None
    with Path(result.rejects_file).open(encoding="utf-8-sig", newline="") as file:
        found = list(csv.reader(file))
    assert found == [
        ["row", "column", "value", "reason"],
        ["3", "email", "'=cmd|'/c calc'!A1", "an address must have an @-sign"],
        ["4", "email", "not an address", "an address must have an @-sign"],
        ["5", "email", "", "the row is empty"],
        ["6", "email", "Gesamt", "an address must have an @-sign; it looks like a report's closing line"],
    ]
    assert sorted(path.name for path in (tmp_path / "rejects").iterdir()) == [Path(result.rejects_file).name]


def test_two_files_of_one_name_keep_both_their_rejects(store: Store, tmp_path: Path) -> None:
    first, second = (bring(store, tmp_path, "email\noops\n").rejects_file for _ in range(2))
    assert first != second
    assert first and second and Path(first).exists() and Path(second).exists()  # noqa: PT018  # one fact


def test_a_dry_run_counts_the_same_and_changes_nothing(store: Store, tmp_path: Path) -> None:
    content = mailchimp(ADA, {"Email Address": "oops"})
    dry = bring(store, tmp_path, content, options=Options(dry_run=True))
    assert {size(store, name) for name in ("subscriber", "topic", "suppression", "consent", "import_run")} == {0}
    assert counts(bring(store, tmp_path, content)) == counts(dry) == {"new": 1, "rejected": 1}


@pytest.mark.parametrize(
    "content", ["email,name\nada@city.example,Ada\n" + '"' + "x" * 200_000, "a,b\n1,2\n", "\x00\x01\x02\x03" * 50]
)
def test_a_file_that_cannot_be_read_to_its_end_changes_nothing(store: Store, tmp_path: Path, content: str) -> None:
    with pytest.raises(UsageError):
        bring(store, tmp_path, content)
    assert size(store, "subscriber") == 0
    assert not (tmp_path / "rejects").exists() or not list((tmp_path / "rejects").iterdir())


def test_a_name_with_a_nul_and_a_very_long_topic_can_be_stored(store: Store, tmp_path: Path) -> None:
    bring(store, tmp_path, "email,first_name,topics\nada@city.example,A\0da," + "t" * 500 + "\n")
    assert person(store, "ada@city.example").attributes == {"first_name": "Ada"}


def test_new_fields_become_known_to_rules(store: Store, tmp_path: Path) -> None:
    bring(store, tmp_path, listmonk(("ada@city.example", "Ada", {"dogs": 2, "boat": True, "ward": "N"}, "enabled", "")))
    with store.read() as connection:
        known = {field.name: field.type for field in subscribers.fields(connection)}
    assert (known["dogs"], known["boat"], known["ward"]) == ("number", "yesno", "text")


KILLED = """
import datetime as dt, os, signal, sys
from pathlib import Path
from outreach.store import merging, staging
from outreach.store.database import Store
from outreach.subscribers import importing, rejects

def die(*_args, **_more):
    os.kill(os.getpid(), signal.SIGKILL)

target, name = {
    "reading": (importing._Staging, "_flush"),
    "sorting": (staging.Stage, "sort"),
    "compared": (importing, "record"),
    "merging": (merging, "_note_consent"),
    "merged": (importing, "close"),
    "committed": (rejects.Rejects, "close"),
}[sys.argv[3]]
setattr(target, name, die)
store = Store.open(sys.argv[1])
now = dt.datetime(2026, 11, 21, tzinfo=dt.UTC)
importing.import_file(store, Path(sys.argv[2]), now=now, rejects_folder=Path(sys.argv[2]).parent / "rejects")
"""


@pytest.mark.parametrize("stage", ["reading", "sorting", "compared", "merging", "merged", "committed"])
def test_killed_at_any_stage_there_is_no_half_import(store: Store, tmp_path: Path, stage: str) -> None:
    """And the same command again does what is left to do: all of it, or nothing."""
    path = written(tmp_path, "people.csv", mailchimp(ADA, *({"Email Address": f"p{n}@x.example"} for n in range(50))))
    url = store.main.url.render_as_string(hide_password=False)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, url, str(path), stage], check=False, env={**os.environ}, capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    tables_now = ("subscriber", "profile", "subscription", "topic", "import_run")
    if stage != "committed":
        assert {size(store, name) for name in tables_now} == {0}
    result = import_file(store, path, now=NOW, rejects_folder=tmp_path / "rejects")
    assert counts(result) == ({"unchanged": 51} if stage == "committed" else {"new": 51})
    assert (size(store, "subscriber"), size(store, "provenance")) == (51, 51)
