"""A question, a link of one's own and the view in a browser: from the campaign's file to the report."""

from __future__ import annotations

import email
import email.policy
import re

from outreach.testing import FaultServer
from tests.journeys.test_the_loop import ask, tracking

BODY = """\
::: question How was your visit to the library?
- Very good
- Not good
:::

[Your district](https://city.example/district?number={{ district }}&from=mail)
"""


def test_an_answer_is_in_the_report_and_a_link_of_ones_own_leads_to_ones_own_page(city, export) -> None:
    export([f"resident{number}@mail.example" for number in range(3)])
    file = city.campaign("library", to="everyone", topic="City news", body=BODY)
    with FaultServer() as server, tracking(city) as service:
        city.environment["OUTREACH_RELAY_URL"] = f"smtp://127.0.0.1:{server.port}"
        city.run("campaigns", "send", city.planned(file)["plan"], "--yes")
        for envelope in server.accepted:
            mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
            text = mail.get_body(("plain",)).get_content()
            paths = {found[1]: found[0] for found in re.findall(r"http://127\.0\.0\.1:8400(/(\w)/\S*?)(?=[>\s])", text)}
            number = envelope.recipients[0].removeprefix("resident").partition("@")[0]
            there = ask(service, "GET", paths["x"]).headers["Location"]
            assert there == f"https://city.example/district?number={number}&from=mail"
            assert b"How was your visit to the library?" in ask(service, "GET", paths["s"]).body
            assert b"You answered: Not good" in ask(service, "POST", paths["s"], "answer=1").body
        assert b"You answered: Very good" in ask(service, "POST", paths["s"], "answer=0").body
        for _ in range(100):
            view = ask(service, "GET", paths["v"])
            if view.status == 200:
                break
        assert b"How was your visit to the library?" in view.body
        assert b'href="https://city.example/district?number=&amp;from=mail"' in view.body
        assert b"/x/" not in view.body
    asked = city.json("report", "library-1")["question"]  # the loader has made its last pass
    assert asked["text"] == "How was your visit to the library?"
    assert [(each["text"], each["people"]) for each in asked["answers"]] == [("Very good", 1), ("Not good", 2)]
    tailed = [line for line in city.run("events", "tail", "--json").stdout.splitlines() if '"answer"' in line]
    assert len(tailed) == 4
