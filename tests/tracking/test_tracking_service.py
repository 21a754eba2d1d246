"""The service over real sockets: what each path answers, and what it never does."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from outreach.events import Flag, Kind
from outreach.rendering.personal import packed
from outreach.tokens import KeyRing, Purpose
from tracking.answers import PIXEL
from tracking.testing import KEYS, Service, token

FORM = "application/x-www-form-urlencoded"
MULTIPART = (
    '--cut\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--cut--\r\n',
    "multipart/form-data; boundary=cut",
)


def recorded(service: Service, subscriber_id: int) -> list[sqlite3.Row]:
    """What the spool holds about one subscriber, in order."""
    rows: list[sqlite3.Row] = []
    for path in sorted((service.root / "spool").glob("*.spool")):
        connection = sqlite3.connect(path)
        connection.row_factory = sqlite3.Row
        rows += connection.execute("SELECT * FROM hit WHERE subscriber_id = ? ORDER BY sequence", (subscriber_id,))
        connection.close()
    return rows


def kinds(service: Service, subscriber_id: int) -> list[int]:
    return [row["kind"] for row in recorded(service, subscriber_id)]


def test_an_open_is_a_pixel_that_nobody_may_keep(service: Service) -> None:
    reply = service.get(f"/o/{token(Purpose.OPEN, 10)}.gif", User_Agent="Mozilla/5.0", Accept="image/webp,*/*")
    assert (reply.status, reply.body, reply.headers["content-type"]) == (200, PIXEL, "image/gif")
    assert "no-store" in reply.headers["cache-control"]
    assert kinds(service, 10) == [Kind.OPEN]


def test_a_head_of_the_pixel_has_no_body_and_is_marked(service: Service) -> None:
    reply = service.request("HEAD", f"/o/{token(Purpose.OPEN, 11)}.gif")
    assert (reply.status, reply.body) == (200, b"")
    assert [row["flags"] & Flag.HEAD for row in recorded(service, 11)] == [Flag.HEAD]


def test_a_forged_open_still_gets_its_picture_and_is_not_recorded(service: Service) -> None:
    for path in (f"/o/{token(Purpose.CLICK, 12)}.gif", "/o/x.gif", "/o/", f"/o/{token(Purpose.OPEN, 12)}"):
        assert service.get(path).body == PIXEL
    assert kinds(service, 12) == []


def test_a_click_goes_to_the_campaigns_own_link(service: Service) -> None:
    there = [service.get(f"/c/{token(Purpose.CLICK, 13)}/{number}") for number in range(3)]
    assert [(reply.status, reply.headers["location"]) for reply in there] == [
        (302, "https://city.example/sweeping"),
        (302, "https://city.example/map?district=3&x=%C3%A4"),
        (302, "mailto:works@city.example"),
    ]
    assert {reply.headers["referrer-policy"] for reply in there} == {"no-referrer"}
    assert [(row["kind"], row["link"]) for row in recorded(service, 13)] == [(Kind.CLICK, n) for n in range(3)]


def test_links_that_are_not_there_lead_nowhere(service: Service) -> None:
    good = token(Purpose.CLICK, 14)
    for path in (
        f"/c/{good}/3", f"/c/{good}/-1", f"/c/{good}/", f"/c/{good}", f"/c/{good}/1/https://evil.example",
        f"/c/{good}/%D9%A1", f"/c/{good}/0001", f"/c/{good}//evil.example", f"/c/{token(Purpose.OPEN, 14)}/1",
        f"/c/{good[:-1]}{'A' if good[-1] != 'A' else 'B'}/1", f"/c/{good}%0d%0aLocation:%20https://evil.example/1",
        "/c//1", "/c/", "/c",
    ):  # fmt: skip
        reply = service.get(path)
        assert (reply.status, reply.headers.get("location")) == (404, None), path
    assert kinds(service, 14) == []


def test_a_campaign_whose_links_are_not_here_yet_asks_to_come_back(service: Service) -> None:
    reply = service.get(f"/c/{token(Purpose.CLICK, 15, campaign_id=99)}/0")
    assert (reply.status, reply.headers["retry-after"], reply.headers.get("location")) == (503, "30", None)


def test_an_older_key_still_opens_its_links(service: Service) -> None:
    old = KeyRing({1: b"a" * 32}).sign(Purpose.CLICK, 1, 16)
    assert service.get(f"/c/{old}/0").status == 302


@pytest.mark.parametrize("file", ["openredirects.txt", "crlfinjection.txt"])
def test_no_known_attack_redirects_off_site(service: Service, shared: Path, file: str) -> None:
    good, asked = token(Purpose.CLICK, 17), token(Purpose.ANSWER, 17)
    content = packed(1, {"zip": "95814"})
    own = KeyRing(KEYS).sign(Purpose.LINK, 1, 17, content.encode())
    for line in (shared / "corpora" / "injection" / file).read_text("utf-8").splitlines():
        attack = line.strip().encode("utf-8").decode("latin-1")
        if not attack or " " in attack or not attack.isascii():
            attack = "".join(c if c.isascii() and c > " " else f"%{ord(c):02x}" for c in attack)
        attack = attack if attack.startswith("/") else f"/{attack}"
        places = (f"/c/{good}/1", f"/c/{good}", "/o", "/u", f"/x/{own}/{content}", f"/x/{own}", "/x", f"/s/{asked}")
        for path in (attack, *(f"{place}{attack}" for place in places)):
            reply = service.get(path)
            place = reply.headers.get("location", "https://city.example/")
            # A query after a real link is not part of the path and changes nothing.
            assert place.startswith("https://city.example/"), path
            assert "evil" not in str(reply.headers), path
            assert "crlf" not in {name.lower() for name in reply.headers}, path


# --- leaving ----------------------------------------------------------------------------------------------------


def test_looking_at_the_unsubscribe_page_changes_nothing(service: Service) -> None:
    path = f"/u/{token(Purpose.UNSUBSCRIBE, 20)}"
    page = service.get(path)
    service.request("HEAD", path)
    service.request("GET", path, headers={"Sec-Purpose": "prefetch"})
    assert page.status == 200
    assert b"Stop receiving <b>Parking &amp; street sweeping</b> by email?" in page.body
    assert b'<form method="post">' in page.body
    assert b"@" not in page.body.split(b"</style>")[1]
    assert kinds(service, 20) == []


def test_the_page_speaks_the_readers_language(service: Service) -> None:
    path = f"/u/{token(Purpose.UNSUBSCRIBE, 21)}"
    spanish = service.get(path, Accept_Language="es-MX,es;q=0.9,en;q=0.5").body.decode()
    assert '<html lang="es"' in spanish
    assert '¿Dejar de recibir <b lang="en">Parking &amp; street sweeping</b>' in spanish
    assert '<html lang="de"' in service.get(path, Accept_Language="de").body.decode()
    assert '<html lang="en"' in service.get(path, Accept_Language="fr, *;q=0.1").body.decode()


@pytest.mark.parametrize(
    ("subscriber_id", "body", "media_type", "one_click"),
    [
        (22, "List-Unsubscribe=One-Click", FORM, Flag.ONE_CLICK),
        (23, *MULTIPART, Flag.ONE_CLICK),
        (24, "leave=topic", FORM, 0),
        (25, "", FORM, 0),
        (26, "", "", 0),
        (27, "{}", "application/json", 0),
    ],
)  # fmt: skip
def test_a_post_unsubscribes_at_once(
    service: Service, subscriber_id: int, body: str, media_type: str, one_click: int
) -> None:
    reply = service.post(f"/u/{token(Purpose.UNSUBSCRIBE, subscriber_id)}", body, media_type=media_type)
    assert (reply.status, reply.headers.get("location"), reply.headers.get("set-cookie")) == (200, None, None)
    assert b"You are unsubscribed" in reply.body
    [row] = recorded(service, subscriber_id)
    assert (row["kind"], row["detail"], row["flags"] & Flag.ONE_CLICK) == (Kind.UNSUBSCRIBE, '{"topic": 3}', one_click)


def test_the_second_button_leaves_everything_and_undo_takes_it_back(service: Service) -> None:
    path = f"/u/{token(Purpose.UNSUBSCRIBE, 28)}"
    assert b"any more email" in service.post(path, "leave=all").body
    assert b"still subscribed" in service.post(path, "undo=1").body
    assert [(row["kind"], row["detail"]) for row in recorded(service, 28)] == [
        (Kind.UNSUBSCRIBE, '{"all": true}'),
        (Kind.UNDO, ""),
    ]


def test_a_person_can_leave_a_campaign_whose_link_file_is_not_here(service: Service) -> None:
    path = f"/u/{token(Purpose.UNSUBSCRIBE, 29, campaign_id=99)}"
    assert b"Stop receiving these emails?" in service.get(path).body
    assert service.post(path, "List-Unsubscribe=One-Click").status == 200
    assert kinds(service, 29) == [Kind.UNSUBSCRIBE]


def test_a_preference_link_offers_to_leave_with_its_own_token_only(service: Service) -> None:
    path = f"/p/{token(Purpose.PREFERENCES, 36)}"
    assert b"Stop receiving" in service.get(path).body
    assert kinds(service, 36) == []
    assert service.post(path, "leave=topic").status == 200
    assert service.post(f"/p/{token(Purpose.UNSUBSCRIBE, 36)}", "leave=topic").status == 404
    assert kinds(service, 36) == [Kind.UNSUBSCRIBE]


def test_a_forged_or_borrowed_token_unsubscribes_nobody(service: Service) -> None:
    good = token(Purpose.UNSUBSCRIBE, 30)
    forged = [good[:-1] + ("A" if good[-1] != "A" else "B"), good[:-1], good + "A", "", "x" * 28]
    for bad in (*forged, *(token(purpose, 30) for purpose in Purpose if purpose is not Purpose.UNSUBSCRIBE)):
        assert service.get(f"/u/{bad}").status == 404
        assert service.post(f"/u/{bad}", "List-Unsubscribe=One-Click").status == 404
    assert kinds(service, 30) == []


def test_other_methods_are_refused_and_say_what_is_allowed(service: Service) -> None:
    for method, path, allowed in (
        ("PUT", f"/u/{token(Purpose.UNSUBSCRIBE, 31)}", "GET, HEAD, POST"),
        ("DELETE", f"/u/{token(Purpose.UNSUBSCRIBE, 31)}", "GET, HEAD, POST"),
        ("POST", f"/c/{token(Purpose.CLICK, 31)}/0", "GET, HEAD"),
        ("POST", f"/o/{token(Purpose.OPEN, 31)}.gif", "GET, HEAD"),
    ):
        reply = service.request(method, path, b"")
        assert (reply.status, reply.headers["allow"]) == (405, allowed)
    assert kinds(service, 31) == []


def test_a_long_body_is_refused_before_it_is_read_whole(service: Service) -> None:
    reply = service.post(f"/u/{token(Purpose.UNSUBSCRIBE, 32)}", "x" * 9000)
    assert (reply.status, kinds(service, 32)) == (413, [])


def test_odd_requests_are_answered_without_an_error_of_ours(service: Service) -> None:
    for method, path in (
        ("OPTIONS", "*"), ("GET", "http://evil.example/"), ("GET", "//"), ("GET", "/?"), ("BREW", "/u/"),
        ("GET", "/u/%00"), ("GET", "/c/%ff/%fe"), ("GET", "/o/" + "x" * 8000 + ".gif"), ("TRACE", "/"),
    ):  # fmt: skip
        assert service.request(method, path).status in (200, 400, 404, 405), path
    assert b"outreach_tracking_failed_total 0" in service.get("/metrics").body


# --- around it --------------------------------------------------------------------------------------------------


def test_every_page_may_load_nothing_and_run_nothing(service: Service) -> None:
    for path in ("/", f"/u/{token(Purpose.UNSUBSCRIBE, 33)}", "/c/x/1", "/nothing-here"):
        headers = service.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'sha256-")
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-robots-tag"] == "noindex, nofollow"
        assert "server" not in headers


def test_health_metrics_and_robots(service: Service) -> None:
    assert (service.get("/healthz").status, service.get("/healthz").body) == (200, b"ok\n")
    service.get(f"/o/{token(Purpose.OPEN, 34)}.gif")
    metrics = service.get("/metrics").body.decode()
    assert 'outreach_tracking_recorded_total{kind="open"}' in metrics
    assert "outreach_tracking_healthy 1" in metrics
    assert metrics.startswith("# Only process ")  # nobody made a board for it
    assert b"Disallow: /" in service.get("/robots.txt").body


def test_neither_spool_nor_log_holds_an_address_or_a_token(service: Service) -> None:
    mine = token(Purpose.OPEN, 35)
    service.get(f"/o/{mine}.gif", Referer="https://mail.example/?who=ada@example.com")
    kept = b"".join(path.read_bytes() for path in service.root.rglob("*") if path.is_file())
    assert b"127.0.0.1" not in kept
    assert mine.encode() not in kept
    assert b"ada@example.com" not in kept
