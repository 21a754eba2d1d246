"""A real IMAP server (Debian's dovecot) on loopback, for one test: its own folder, its own processes."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
mail_location = maildir:{folder}/Maildir
first_valid_uid = 1
mail_uid = {user}
mail_gid = {group}
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
mail_max_userip_connections = 50
maildir_very_dirty_syncs = no
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
"""


class Dovecot:
    """Use as a context; `url` is what `bounces.imap_url` would say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    @staticmethod
    def available() -> bool:
        return shutil.which("dovecot") is not None

    @property
    def url(self) -> str:
        return f"imap://bounces:secret@127.0.0.1:{self.port}/INBOX"

    def __enter__(self) -> Dovecot:
        for name in ("run", "state", "Maildir/new", "Maildir/cur", "Maildir/tmp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        # The server refuses to serve root's mail; as root we give it to somebody without rights.
        owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        group = "nogroup" if os.geteuid() == 0 else _group(owner.pw_gid)
        self._owner = owner
        config = CONFIG.format(
            folder=self.folder, user=owner.pw_name, group=group, uid=owner.pw_uid, gid=owner.pw_gid, port=self.port
        )
        (self.folder / "dovecot.conf").write_text(config)
        self.own()
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def own(self) -> None:
        """Give the mail to the user that serves it."""
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", f"{self._owner.pw_uid}:{self._owner.pw_gid}", self.folder], check=True)

    def start(self) -> None:
        command = ["dovecot", "-F", "-c", str(self.folder / "dovecot.conf")]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                    if probe.recv(20).startswith(b"* OK"):
                        return
            except OSError:
                time.sleep(0.05)
        log = (self.folder / "log").read_text() if (self.folder / "log").exists() else ""
        raise RuntimeError(f"dovecot did not start: {log[-800:]}")

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(20)
            self._process = None

    def deliver(self, mails: list[bytes]) -> None:
        """Put mails into the mailbox, as an MTA would."""
        begun = time.time_ns()
        for number, raw in enumerate(mails):
            (self.folder / "Maildir" / "new" / f"{begun + number}.M{number}.test").write_bytes(raw)
        self.own()

    def left(self) -> int:
        box = self.folder / "Maildir"
        return sum(1 for name in ("new", "cur") for _ in (box / name).iterdir())

    def change_validity(self) -> None:
        """What a restored mailbox looks like: the same mail, under other numbers."""
        self.stop()
        for path in (self.folder / "Maildir").glob("dovecot*"):
            path.unlink()
        time.sleep(1.1)  # UIDVALIDITY is a time in seconds
        self.start()


def _group(number: int) -> str:
    import grp

    return grp.getgrgid(number).gr_name
