"""A template that loops, allocates or crashes the compiler costs its author one error, and a running send nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from outreach.practice.answers import Answer, Envelope, Receiver
from outreach.practice.smtpd import SmtpServer
from outreach.rendering import mjml
from outreach.rendering.errors import TemplateError
from outreach.testing import FaultServer
from tests.campaigns.conftest import GOOD

COMMAND = [sys.executable, "-W", "error", "-c", "from outreach.cli import main; main()"]
HOSTILE = {
    "loops": "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
    "allocates": "{{ 'a' * 300000000 }} {{ 'x' | center(300000000) }} {{ lipsum(n=20000) }}",
    "recurses": "{% if " + "not " * 5_000 + "renter %}x{% endif %}",
    "nests": "> " * 3_000 + "deep",
}
PATIENCE = 60.0


def deep(tags: int) -> str:
    return f"<mjml><mj-body>{'<mj-wrapper>' * tags}{{{{ body }}}}{'</mj-wrapper>' * tags}</mj-body></mjml>"


class _Held(Receiver):
    """Takes the first message, and answers when the test says so."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.began, self.go_on = threading.Event(), threading.Event()

    def message(self, envelope: Envelope) -> Answer | None:
        self.taken.append(envelope)
        self.began.set()
        assert self.go_on.wait(PATIENCE)
        return None


class _HoldingServer(FaultServer):
    def __init__(self, held: _Held) -> None:
        super().__init__()
        self._server = SmtpServer(held, None)


def start(root: Path, *arguments: str, relay: str) -> subprocess.Popen[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(root), "OUTREACH_MODE": "live", "OUTREACH_RELAY_URL": relay}
    return subprocess.Popen([*COMMAND, *arguments], cwd=root, env=environment, text=True, stderr=subprocess.PIPE,
                            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)  # fmt: skip


def test_hostile_templates_beside_a_running_send(city):
    plan = city.json("campaigns", "plan", city.write(GOOD))["plan"]
    city.run("campaigns", "approve", plan, "--by", "Dana Lee")
    held = _Held()
    with _HoldingServer(held) as server:
        sending = start(city.root, "campaigns", "send", plan, "--yes", relay=f"smtp://127.0.0.1:{server.port}")
        try:
            assert held.began.wait(PATIENCE), sending.poll()
            for name, body in HOSTILE.items():
                said = city.run("campaigns", "check", city.write(f"{GOOD}\n{body}\n", name), "--offline", code=6).stderr
                assert len(said.splitlines()) == 1, said
                assert "cannot be sent like this" in said
            (city.root / "templates" / "deep").mkdir()
            (city.root / "templates" / "deep" / "layout.mjml").write_text(deep(70), "utf-8")
            file = city.write(GOOD.replace("---\nHello", "template: deep\n---\nHello"), "deep")
            assert "nested more than 60 deep" in city.run("campaigns", "check", file, "--offline", code=6).stdout
            with pytest.raises(TemplateError, match="broke down"):  # the compiler itself: only its child dies
                mjml.compiled(deep(9_000), place="deep")
            assert sending.poll() is None
            assert city.json("campaigns", "status", plan)["status"] == "sending"
            held.go_on.set()
            _, trouble = sending.communicate(timeout=PATIENCE)
        finally:
            held.go_on.set()
            sending.kill()
            sending.wait()
        assert sending.returncode == 0, trouble
    assert len({envelope.recipients[0] for envelope in held.taken}) == len(held.taken) == 60
