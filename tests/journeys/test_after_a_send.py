"""What a person does after something went wrong: stop and hear who has it, settle doubts by hand, correct it."""

import re
import time

from outreach.testing import Fault, FaultServer


def test_a_stopped_send_says_who_has_it_and_a_correction_goes_to_exactly_those(city, export) -> None:
    people = 400
    export([f"resident{number}@mail.example" for number in range(people)])
    plan = city.planned(city.campaign("news", to="everyone", topic="City news"))
    city.environment["OUTREACH_RELAY_CONNECTIONS"] = "2"
    lost = Fault("DOT", reply="", cut=True, keep=True, at=5)
    with FaultServer([lost, Fault("DOT", delay=0.1, at=6, times=None)]) as server:
        city.environment["OUTREACH_RELAY_URL"] = f"smtp://127.0.0.1:{server.port}"
        sending = city.start("campaigns", "send", plan["plan"], "--yes")
        while len(server.accepted) < 20 and sending.poll() is None:
            time.sleep(0.01)
        said = city.run("campaigns", "stop", plan["plan"]).stdout
        sending.wait()
        reached = {envelope.recipients[0] for envelope in server.accepted}
        assert len(server.accepted) == len(reached)
    found = re.search(r"stopped: ([\d,]+) people have it, ([\d,]+) will not", said)
    assert found, said
    have, cancelled = (int(figure.replace(",", "")) for figure in found.groups())
    assert (have, cancelled) == (len(reached) - 1, people - len(reached))
    assert "1 were being handed over and may have it: outreach campaigns doubts news-1" in said

    assert "1 settled" in city.run("campaigns", "doubts", "news-1", "--accepted").stderr
    city.run("campaigns", "correct", "news-1")
    correction = city.planned("campaigns/news-1-correction.md")
    assert correction["audience"] == len(reached)

    with FaultServer([Fault("DOT", reply="", cut=True, at=3)]) as server:  # this one was not taken: a person says so
        city.environment["OUTREACH_RELAY_URL"] = f"smtp://127.0.0.1:{server.port}"
        assert city.json("campaigns", "send", correction["plan"], "--yes", code=5)["in_doubt"] == 1
        city.run("campaigns", "doubts", correction["plan"], "--resend")
        assert city.json("campaigns", "send", correction["plan"], "--yes")["accepted"] == len(reached)
        assert sorted(envelope.recipients[0] for envelope in server.accepted) == sorted(reached)
