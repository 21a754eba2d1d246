"""Residents and scanners against a tiny tracking service that writes down every request."""

from __future__ import annotations

import asyncio
import re
import sys
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path

import pytest

from outreach.errors import ConfigurationError
from outreach.practice.answers import Envelope
from outreach.practice.mailboxes import Maildir
from outreach.practice.residents import Acts, Habits, act, act_in_loop

QUICK = {"spread": 0.05, "pause": (0.01, 0.02)}
EVERYBODY = Habits(open=1, click=1, second_click=1, unsubscribe=1, scanned=0, **QUICK)
NOBODY = Habits(open=0, scanned=0, **QUICK)
USUAL = Habits(**QUICK)


@dataclass
class Request:
    line: str
    headers: dict[str, str]
    body: str
    peer: str

    @property
    def person(self) -> str:
        """The token in the path, which these tests make from the local part."""
        return re.split(r"[/? ]|\.gif", self.line.split(" ")[1])[2]


@dataclass
class Service:
    """Answers like the tracking service. `broken` paths get 500."""

    broken: str = "nothing"
    chunked: bool = False
    requests: list[Request] = field(default_factory=list)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *rest = head.splitlines()
        headers = dict(item.split(": ", 1) for item in rest if item)
        body = (await reader.readexactly(int(headers.get("Content-Length", 0)))).decode()
        self.requests.append(Request(line, headers, body, writer.get_extra_info("peername")[0]))
        writer.write(self.answer(line).encode())
        writer.close()

    def answer(self, line: str) -> str:
        if re.search(self.broken, line):
            return "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"
        if "/c/" in line:
            return "HTTP/1.1 302 Found\r\nLocation: https://city.example/\r\nContent-Length: 0\r\n\r\n"
        if line.startswith("GET /u/"):
            page = '<form method="post" action="?from=page"><input type="hidden" name="topic" value="3 &amp; 4">'
            page += '<button name="leave" value="yes">Unsubscribe</button></form>'
            if self.chunked:
                half = len(page) // 2
                parts = "".join(f"{len(part):x}\r\n{part}\r\n" for part in (page[:half], page[half:]))
                return f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{parts}0\r\n\r\n"
            return f"HTTP/1.1 200 OK\r\nContent-Length: {len(page)}\r\n\r\n{page}"
        return "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def deliver(folder: Path, base: str, *people: str, one_click: bool = True) -> None:
    maildir = Maildir(folder)
    for person in people:
        message = EmailMessage()
        message["Message-ID"] = f"<{person}@city.example>"
        message["List-Unsubscribe"] = f"<mailto:leave@city.example>, <{base}/u/{person}>"
        if one_click:
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content("Sweeping starts on Monday.")
        links = "".join(f'<a href="{base}/c/{person}/{number}">street {number}</a>' for number in (0, 1, 2, 0))
        message.add_alternative(
            f'<p>Überall</p>{links}<a href="https://elsewhere.example/">out</a><a href="mailto:x@y.example">m</a>'
            f'<a href="{base}/u/{person}">leave</a>'
            f'<img src="https://cdn.example/logo.png"><img src="{base}/o/{person}.gif">',
            subtype="html",
        )
        content = message.as_bytes().replace(b"\n", b"\r\n")
        maildir.keep(f"{person}@mail1.example", Envelope("b-1@city.example", (), content))


def story(
    folder: Path, people: list[str], habits: Habits, *, service: Service, seed: int = 1, one_click: bool = True
) -> Acts:
    async def play() -> Acts:
        server = await asyncio.start_server(service, "127.0.0.1", 0, backlog=512)
        async with server:
            port = server.sockets[0].getsockname()[1]
            deliver(folder, f"http://127.0.0.1:{port}", *people, one_click=one_click)
            return await act_in_loop(folder, seed=seed, habits=habits)

    return asyncio.run(play())


def addresses(*people: str) -> frozenset[str]:
    return frozenset(f"{person}@mail1.example" for person in people)


def test_a_person_opens_clicks_two_links_and_leaves(tmp_path):
    service = Service()
    acts = story(tmp_path, ["ada"], EVERYBODY, service=service, one_click=False)
    lines = [request.line for request in service.requests]
    assert lines[0] == "GET /o/ada.gif HTTP/1.1"
    assert len(set(lines[1:3])) == 2
    assert all(re.fullmatch(r"GET /c/ada/[012] HTTP/1.1", line) for line in lines[1:3])
    assert lines[3:] == ["GET /u/ada HTTP/1.1", "POST /u/ada?from=page HTTP/1.1"]
    assert service.requests[-1].body == "topic=3+%26+4&leave=yes"
    assert acts == Acts(
        opened=addresses("ada"),
        clicked=addresses("ada"),
        unsubscribed=addresses("ada"),
        complained=frozenset(),
        scanned=frozenset(),
        opens=1,
        clicks=2,
        scanner_hits=0,
        failures=(),
    )


def test_people_leave_by_the_page_or_by_the_button(tmp_path):
    service = Service(chunked=True)
    people = [f"p{number}" for number in range(40)]
    acts = story(tmp_path, people, EVERYBODY, service=service)
    posts = [request for request in service.requests if request.line.startswith("POST")]
    buttons = [request for request in posts if request.body == "List-Unsubscribe=One-Click"]
    assert acts.unsubscribed == addresses(*people)
    assert len(posts) == 40
    assert 0 < len(buttons) < 40
    assert all("?" not in request.line for request in buttons)


def test_a_scanner_follows_every_link_at_once_says_who_it_is_and_posts_nothing(tmp_path):
    service = Service()
    acts = story(tmp_path, ["ada"], Habits(open=0, scanned=1, **QUICK), service=service)
    assert service.requests[0].line == "GET /o/ada.gif HTTP/1.1"
    assert sorted(request.line.split()[1] for request in service.requests[1:]) == [
        "/c/ada/0",
        "/c/ada/1",
        "/c/ada/2",
        "/u/ada",
    ]
    assert {request.headers.get("X-Practice-Scanner") for request in service.requests} == {"1"}
    assert all("Accept-Language" not in request.headers for request in service.requests)
    assert (acts.scanned, acts.scanner_hits, acts.opened) == (addresses("ada"), 5, frozenset())


def test_people_have_browsers_and_homes_of_their_own(tmp_path):
    service = Service()
    story(tmp_path, [f"p{number}" for number in range(20)], EVERYBODY, service=service)
    assert all("X-Practice-Scanner" not in request.headers for request in service.requests)
    assert all(request.headers["User-Agent"].startswith("Mozilla/5.0 (") for request in service.requests)
    homes = {(request.person, request.peer) for request in service.requests}
    assert len(homes) == 20
    if sys.platform == "linux":
        assert len({home for _, home in homes}) == 20


def test_the_truth_is_what_the_service_saw(tmp_path):
    service = Service()
    people = [f"p{number}" for number in range(400)]
    acts = story(tmp_path, people, USUAL, service=service)
    human = [request for request in service.requests if "X-Practice-Scanner" not in request.headers]
    seen = {
        kind: addresses(*(request.person for request in human if request.line.startswith(start)))
        for kind, start in (("o", "GET /o/"), ("c", "GET /c/"), ("u", "POST /u/"))
    }
    assert (acts.opened, acts.clicked, acts.unsubscribed) == (seen["o"], seen["c"], seen["u"])
    assert acts.clicks == sum(request.line.startswith("GET /c/") for request in human)
    assert acts.scanner_hits == len(service.requests) - len(human)
    assert 120 < len(acts.opened) < 220
    assert 5 < len(acts.scanned) < 40
    assert acts.clicked <= acts.opened


def test_the_same_seed_does_the_same_things(tmp_path):
    people = [f"p{number}" for number in range(100)]
    first, second, other = (
        story(tmp_path / str(turn), people, USUAL, service=Service(), seed=seed) for turn, seed in enumerate((5, 5, 6))
    )
    assert first == second
    assert first.opened != other.opened


def test_whoever_complains_is_listed_and_whoever_does_not_open_is_quiet(tmp_path):
    service = Service()
    acts = story(tmp_path, ["complain.lor", "ada"], NOBODY, service=service)
    assert acts.complained == addresses("complain.lor")
    assert service.requests == []


def test_a_service_in_trouble_is_told_about_without_tokens(tmp_path):
    token = "a" * 28
    acts = story(tmp_path, [token], EVERYBODY, service=Service(broken="/o/"))
    assert acts.opened == acts.clicked == frozenset()
    (failure,) = acts.failures
    assert re.fullmatch(r"GET http://127.0.0.1:\d+/o/… answered 500", failure)


def test_read_mail_is_not_read_again(tmp_path):
    story(tmp_path, ["ada"], EVERYBODY, service=Service())
    assert [path.name for path in (tmp_path / "cur").iterdir()] == ["00000001-ada@mail1.example.eml"]
    assert act(tmp_path, seed=1).opens == 0


def test_progress_is_told(tmp_path):
    deliver(tmp_path, "http://127.0.0.1:9", "ada", "bo")
    told: list[tuple[int, int]] = []
    act(tmp_path, seed=1, habits=NOBODY, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]


def test_nobody_leaves_the_computer(tmp_path):
    deliver(tmp_path, "https://news.city.example", "ada")
    with pytest.raises(
        ConfigurationError, match=r"lead to news\.city\.example, and practice residents only visit this"
    ):
        act(tmp_path, seed=1, habits=EVERYBODY)


def test_a_public_address_can_be_played_by_a_local_service(tmp_path):
    service = Service()

    async def play() -> Acts:
        server = await asyncio.start_server(service, "127.0.0.1", 0)
        async with server:
            deliver(tmp_path, "https://news.city.example", "ada")
            here = server.sockets[0].getsockname()[:2]
            return await act_in_loop(tmp_path, seed=1, habits=EVERYBODY, via=here)

    assert asyncio.run(play()).opened == addresses("ada")
    assert service.requests[0].headers["Host"] == "news.city.example"


def test_a_service_that_is_down_is_a_failure_of_each_and_not_of_all(tmp_path):
    deliver(tmp_path, "http://127.0.0.1:9", "ada", "bo")
    acts = act(tmp_path, seed=1, habits=EVERYBODY)
    assert len(acts.failures) == 2
    assert "was not answered" in acts.failures[0]
