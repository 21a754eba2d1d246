"""What is under deploy/ passes the checkers of those who will read it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import outreach
from outreach.cli import COMMANDS
from tests.conftest import missing

DEPLOY = Path(outreach.__file__).parent.parent / "deploy"
UNITS = sorted((DEPLOY / "systemd").iterdir())


def test_systemd_takes_every_unit(tmp_path):
    if not shutil.which("systemd-analyze"):
        missing("systemd", "systemd-analyze is not here")
    # The command and folder of a real server are not here, so stand-ins take their places.
    for unit in UNITS:
        text = unit.read_text("utf-8").replace("/opt/outreach/bin/outreach", "/bin/true")
        (tmp_path / unit.name).write_text(text, "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if "outreach" in line]
    assert (done.returncode, ours) == (0, [])


def test_the_units_run_commands_that_exist():
    for unit in UNITS:
        for words in re.findall(r"/opt/outreach/bin/outreach ([a-z]+)", unit.read_text("utf-8")):
            assert words in COMMANDS


def test_nginx_takes_its_configuration(tmp_path):
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")
    if not nginx:
        missing("nginx", "nginx is not here")
    certificate(tmp_path)
    text = (DEPLOY / "nginx" / "outreach.conf").read_text("utf-8")
    text = re.sub(r"/etc/letsencrypt/live/[^/]+", str(tmp_path), text).replace("/var/log/nginx", str(tmp_path))
    text = text.replace("listen 80", "listen 18080").replace(":80;", ":18080;").replace("443", "18443")
    (tmp_path / "outreach.conf").write_text(text, "utf-8")
    paths = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    whole = f"pid {tmp_path}/pid; events {{}} http {{ {paths} include {tmp_path}/outreach.conf; }}"
    (tmp_path / "nginx.conf").write_text(whole, "utf-8")
    done = subprocess.run(
        [str(nginx), "-t", "-e", str(tmp_path / "error.log"), "-c", str(tmp_path / "nginx.conf")],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr


def certificate(folder: Path) -> None:
    trustme = pytest.importorskip("trustme")
    made = trustme.CA().issue_cert("news.city.example")
    made.private_key_pem.write_to_path(folder / "privkey.pem")
    made.cert_chain_pems[0].write_to_path(folder / "fullchain.pem")


def test_caddy_takes_its_configuration():
    caddy = shutil.which("caddy")
    if not caddy:
        missing("caddy", "caddy is not here")
    subprocess.run(
        [str(caddy), "validate", "--adapter", "caddyfile", "--config", str(DEPLOY / "caddy" / "Caddyfile")],
        check=True,
        timeout=30,
        env={"PATH": os.environ["PATH"], "HOME": "/tmp"},
    )


def test_the_container_is_built_from_what_is_there():
    text = (DEPLOY / "Containerfile").read_text("utf-8")
    for source in re.findall(r"^COPY (?!--)(.+) \S+$", text, re.MULTILINE):
        for each in source.split():
            assert (DEPLOY.parent / each).exists(), each
