"""The demo ends well, and one that was interrupted goes on where it was."""

from __future__ import annotations

import signal
import time
from pathlib import Path


def test_an_interrupted_demo_goes_on_and_its_report_balances(city, tmp_path: Path) -> None:
    city.root = tmp_path
    process = city.start("demo", "--people", "400", "--dir", "play")
    mailboxes = tmp_path / "play" / "mailboxes" / "new"
    while process.poll() is None and len(list(mailboxes.glob("*"))) < 20:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130, (tmp_path / "started.log").read_text()

    told = city.run("demo", "--people", "400", "--dir", "play").stdout
    assert "going on in" in told
    assert (tmp_path / "play" / "report.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    city.root = tmp_path / "play"
    balance = city.json("report", "street-sweeping-1")["balance"]
    assert balance["waiting"] == balance["sending"] == 0
    assert balance["frozen"] == sum(count for state, count in balance.items() if state != "frozen")
    assert balance["accepted"] > 0.8 * balance["frozen"]
