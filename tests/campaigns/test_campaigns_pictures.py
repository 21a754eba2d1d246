"""Images of the workspace: published by what they hold, shown in previews, and refused when nobody would see them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest

from outreach.campaigns.pictures import Pictures
from outreach.rendering.images import ImageError, examine
from tests.campaigns.conftest import GOOD


def png(width: int = 600, height: int = 300, *, grey: int = 200) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + bytes([grey]) * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


JPEG = b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(10) + b"\xff\xc2\0\x11\x08\x01\x2c\x02\x58\x03" + bytes(9) + b"\xff\xda"
GIF = b"GIF89a" + struct.pack("<HH", 640, 320) + bytes(20)


@pytest.mark.parametrize(
    ("data", "kind", "size"), [(png(), "png", (600, 300)), (JPEG, "jpg", (600, 300)), (GIF, "gif", (640, 320))]
)
def test_an_image_is_known_by_its_bytes(data, kind, size):
    image = examine(data)
    assert (image.name.rpartition(".")[2], (image.width, image.height)) == (kind, size)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is no PNG, JPEG or GIF"),
        (b"<html><script>alert(1)</script>", "is no PNG, JPEG or GIF"),
        (b'<?xml version="1.0"?><svg onload="x()"/>', "SVG"),
        (b"RIFF\0\0\0\0WEBPVP8 ", "WebP"),
        (b"%PDF-1.7", "is no PNG, JPEG or GIF"),
        (b"\xff\xd8\xff\xe0\0\0", "is no PNG, JPEG or GIF"),
        (b"\xff\xd8" + b"\xff\xe0\xff\xff" * 10, "is no PNG, JPEG or GIF"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">II", 60_000, 60_000) + bytes(20), "60000 × 60000 pixels"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(20), "0 × 0 pixels"),
        (png() + bytes(2_000_000), "at most 2 MB"),
    ],
)
def test_what_mail_programs_do_not_show_is_refused(data, said):
    with pytest.raises(ImageError, match=said):
        examine(data)


@pytest.fixture
def map_(city) -> Path:
    path = city.root / "images" / "map.png"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(png())
    return path


WITH_MAP = GOOD + "\n![A map of the closed streets](images/map.png)\n"


def test_an_image_is_published_under_what_it_holds(city, map_):
    plan = city.json("campaigns", "plan", city.write(WITH_MAP))
    name = examine(map_.read_bytes()).name
    assert (city.root / "data" / "images" / name).read_bytes() == map_.read_bytes()
    city.run("campaigns", "approve", plan["plan"], "--by", "Dana Lee")
    map_.write_bytes(png(grey=100))
    assert "the message in en" in city.run("campaigns", "send", plan["plan"], "--yes", code=6).stderr


def test_an_image_that_is_gone_keeps_the_mail_back(city, map_):
    plan = city.json("campaigns", "plan", city.write(WITH_MAP))["plan"]
    city.run("campaigns", "approve", plan, "--by", "Dana Lee")
    (city.root / "data" / "images" / examine(map_.read_bytes()).name).unlink()
    assert "is gone. Nothing was sent" in city.run("campaigns", "send", plan, "--yes", code=6).stderr


def test_a_preview_shows_it_before_it_is_published(city, map_):
    city.run("templates", "preview", city.write(WITH_MAP), "--out", "seen")
    html = (city.root / "seen" / "sweeping.en.typical.html").read_text("utf-8")
    assert 'src="data:image/png;base64,' in html
    assert not (city.root / "data" / "images").exists()


def test_a_template_shows_images_too(city, map_):
    folder = city.root / "templates" / "ours"
    folder.mkdir()
    (folder / "layout.mjml").write_text(
        '<mjml lang="{{ language }}"><mj-head><mj-include path="_base/head.mjml" /></mj-head>'
        '<mj-body><mj-section><mj-column><mj-image src="images/map.png" alt="Our logo" />{{ body }}</mj-column>'
        '</mj-section><mj-include path="_base/footer.mjml" /></mj-body></mjml>',
        "utf-8",
    )
    plan = city.json("campaigns", "plan", city.write(GOOD.replace("---\nHello", "template: ours\n---\nHello")))
    assert (city.root / "data" / "images" / examine(map_.read_bytes()).name).is_file()
    assert plan["audience"] == 60


REFUSED = {
    "images/mpa.png": 'did you mean "images/map.png"',
    "keys/dkim.pem": "is not there",
    "images/../keys/dkim.pem": "is not there",
    "/etc/passwd": "is not there",
    "images/text.png": "is no PNG, JPEG or GIF image, whatever its name says",
    "images/link.png": "is not there",
}


def test_only_images_of_the_folder_are_published(city, map_):
    (map_.parent / "text.png").write_text("not an image", "utf-8")
    (map_.parent / "link.png").symlink_to(city.root / "keys" / "dkim.pem")
    file = city.write(GOOD + "".join(f"\n![A map {written}]({written})\n" for written in REFUSED))
    findings = city.json("campaigns", "check", file, code=6)["findings"]
    told = {each["place"]: f"{each['problem']}; {each['fix']}" for each in findings if each["severity"] == "block"}
    for line, said in enumerate(REFUSED.values()):
        assert said in told[f"{file}, line {14 + 2 * line}"]


def test_the_gate_looks_at_their_sizes(city, map_):
    map_.write_bytes(png(2_600, 40))
    (map_.parent / "heavy.png").write_bytes(png() + bytes(1_500_000))
    (map_.parent / "small.png").write_bytes(png(80, 40))
    body = GOOD + "".join(f"\n![{name}](images/{name}.png)\n" for name in ("map", "heavy", "small"))
    findings = city.json("campaigns", "check", city.write(body))["findings"]
    assert [(each["check"], each["severity"], each["place"].rpartition(" ")[2]) for each in findings] == [
        ("images", "warn", "campaigns/sweeping.md"), ("images", "warn", "14"), ("images", "note", "18"),
    ]  # fmt: skip


def test_one_image_used_twice_is_published_once(tmp_path):
    (tmp_path / "images").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "images" / name).write_bytes(png(300, 20))
    pictures = Pictures(tmp_path, "https://news.city.example")
    assert pictures.address("images/a.png") == pictures.address("images/b.png")
    assert len(pictures.publish(tmp_path / "data")) == 1
    assert len(list((tmp_path / "data" / "images").iterdir())) == 1
