"""The dead-man's switch: called after a run without trouble, and only then. Exit codes as the page says."""

from __future__ import annotations

import http.server
import threading

import pytest


@pytest.fixture
def switch():
    """A web server of the test's own; returns its address and the paths it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/alive", asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_switch_hears_of_good_runs_only(command, tmp_path, switch):
    address, asked = switch
    command(tmp_path).run("init", "city", "--name", "City of Testing")
    city = command(tmp_path / "city", {"OUTREACH_CRON_PING_URL": address})
    assert city.run("cron").stderr == ""
    assert asked == ["/alive"]
    (city.root / "feeds").mkdir()
    (city.root / "feeds" / "parks.feed").write_text("url: https://parks.example/rss\n", "utf-8")  # no topic
    trouble = city.run("cron", code=1).stderr
    assert trouble.count("\n") == 1
    assert "parks.feed must have the lines" in trouble
    assert asked == ["/alive"]


def test_a_switch_that_cannot_be_reached_is_no_trouble_of_ours(command, tmp_path):
    command(tmp_path).run("init", "city", "--name", "City of Testing")
    city = command(tmp_path / "city", {"OUTREACH_CRON_PING_URL": "http://127.0.0.1:1/"})
    assert city.run("cron").stderr == ""


def test_exit_codes_of_cron_and_what_it_lists(command, tmp_path):
    command(tmp_path).run("init", "city", "--name", "City of Testing")
    city = command(tmp_path / "city")
    assert city.run("cron", "next").stdout == "nothing is scheduled within 7 days\n"
    assert city.json("cron", "next", "--days", "366") == []
    city.run("cron", "next", "--days", "0", code=2)
    command(tmp_path).run("cron", code=78)  # no workspace here
