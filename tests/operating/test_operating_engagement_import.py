"""The command, from the old system's file to a rule that knows it."""

from __future__ import annotations


def test_a_rule_knows_what_people_opened_at_the_old_system(command, tmp_path):
    command(tmp_path).run("init", "city", "--name", "City of Testing")
    city = command(tmp_path / "city", {"OUTREACH_TEST_CLOCK": "1", "OUTREACH_NOW": "2026-11-21T12:00:00Z"})
    (city.root / "people.csv").write_text("email\nada@example.org\ngrace@example.org\n", "utf-8")
    city.run("subscribers", "import", "people.csv", "--topic", "City news", "--source", "form")
    assert "no open is known yet" in city.run("segments", "count", "not opened within 90 days").stderr
    head = "email,event,time,campaign\n"
    sent = "".join(f"{name}@example.org,sent,2026-11-01T10:00:00Z,News\n" for name in ("ada", "grace"))
    (city.root / "old.csv").write_text(head + sent + "ada@example.org,open,2026-11-02T10:00:00Z,News\n", "utf-8")
    found = city.json("engagement", "import", "old.csv", "--topic", "City news")
    assert (found["new"], found["campaigns"]) == (3, ["imported-news-1"])
    assert city.json("engagement", "import", "old.csv")["new"] == 0
    for rule in (
        "opened within 60 days",
        'opened about topic "City news" within 60 days',
        "not ignored the last 1 campaigns",
    ):
        assert city.json("segments", "count", rule)["count"] == 1, rule
    assert "notes" not in city.json("segments", "count", "opened within 18 days")
    (note,) = city.json("segments", "count", "not opened within 90 days")["notes"]
    assert note == "opens are known since November 2, 2026; of the days before that, this rule knows nothing"
    assert "Klicks" not in city.run("segments", "explain", "opened within 90 days", "--language", "de").stdout
    assert (
        "noch ist kein Klick bekannt"
        in city.run("segments", "explain", "clicked within 9 days", "--language", "de").stdout
    )
    (city.root / "segments" / "asleep.segment").write_text("not opened within 1 year\n", "utf-8")
    assert city.json("segments", "explain", "in segment asleep")["notes"] == [note]
    assert city.json("report", "imported-news-1")["balance"]["accepted"] == 2
    assert "1 known" not in city.run("engagement", "import", "old.csv").stdout
    assert city.run("engagement", "import", "people.csv", code=2).stderr.count("\n") == 1
