"""A Postfix of one's own on loopback, as Debian packages it, which throws everything away."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DAEMONS = Path("/usr/lib/postfix/sbin")
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
TLS = """
smtpd_tls_chain_files = {certificate}
smtpd_tls_security_level = may
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
tlsmgr unix - - n 1000? 1 tlsmgr
postlog unix-dgram n - n - 1 postlogd
"""


class Missing(Exception):
    """Why there can be none here."""


@contextmanager
def postfix(port: int, *, certificate: Path | None = None) -> Iterator[Path]:
    """Its log. `certificate`: key and chain (PEM), for STARTTLS. Missing where it cannot run."""
    program = shutil.which("postfix", path="/usr/sbin")
    if program is None or not DAEMONS.is_dir() or os.geteuid():
        raise Missing("Debian's postfix is not installed, or we are not root")
    folder = Path(tempfile.mkdtemp(prefix="outreach-postfix-"))
    folder.chmod(0o755)
    for name in ("queue", "data", "etc"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    settings = MAIN.format(folder=folder, daemons=DAEMONS)
    settings += TLS.format(certificate=certificate) if certificate else ""
    (folder / "etc" / "main.cf").write_text(settings)
    (folder / "etc" / "master.cf").write_text(MASTER.format(port=port))
    run = [program, "-c", str(folder / "etc")]
    started = subprocess.run([*run, "start"], capture_output=True, text=True, timeout=60)
    try:
        if started.returncode:
            raise Missing(f"it does not start here: {started.stderr[-300:]}")
        yield folder / "log"
    finally:
        subprocess.run([*run, "abort"], capture_output=True, timeout=60)
        shutil.rmtree(folder, ignore_errors=True)
