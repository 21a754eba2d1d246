"""Into a real Postfix on loopback, which throws everything away; its own log is the witness."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import _city as cities
from outreach.campaigns import doubts
from outreach.sending import workers
from tests.conftest import missing

PORT = 25_326
MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
daemon_directory = {daemons}
command_directory = /usr/sbin
mail_owner = postfix
setgid_group = postdrop
myhostname = relay.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
default_transport = discard:
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
alias_maps =
"""
MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


@pytest.fixture
def postfix() -> Iterator[Path]:
    """A Postfix of this test's own; its log."""
    program, daemons = shutil.which("postfix", path="/usr/sbin"), Path("/usr/lib/postfix/sbin")
    if program is None or not daemons.is_dir() or subprocess.run(["id", "-u"], capture_output=True).stdout != b"0\n":
        missing("postfix", "Debian's postfix is not installed, or we are not root")
    folder = Path(tempfile.mkdtemp(prefix="outreach-postfix-"))
    folder.chmod(0o755)
    for name in ("queue", "data", "etc"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    (folder / "etc" / "main.cf").write_text(MAIN.format(folder=folder, daemons=daemons))
    (folder / "etc" / "master.cf").write_text(MASTER.format(port=PORT))
    run = [str(program), "-c", str(folder / "etc")]
    started = subprocess.run([*run, "start"], capture_output=True, text=True, timeout=60)
    if started.returncode:
        missing("postfix", f"it does not start here: {started.stderr[-300:]}")
    yield folder / "log"
    subprocess.run([*run, "abort"], capture_output=True, timeout=60)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.postfix
def test_postfix_takes_everybodys_message_once_and_its_log_says_so(tmp_path: Path, postfix: Path) -> None:
    city = cities.build(tmp_path, 200, port=PORT)
    workers.run(replace(city.orders, relay_url=f"smtp://127.0.0.1:{PORT}"))
    assert city.counts() == {"accepted": 200}
    deadline = time.monotonic() + 20
    while len(logged := list(doubts._ids_in(postfix))) < 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert sorted(logged) == sorted(city.ledger())
