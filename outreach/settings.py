"""What a workspace's owner can set, where each value came from, and nothing secret ever printed.

`outreach.toml` is looked for in the current folder and above; that folder is the workspace. A
variable OUTREACH_SECTION_KEY in the environment wins over it, and OUTREACH_SECTION_KEY_FILE names a
file that holds the value. Settings are read at the two edges (the command line, the tracking
service) and passed down as values.
"""

from __future__ import annotations

import difflib
import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from outreach.errors import ConfigurationError

FILE = "outreach.toml"
PEM = "-----BEGIN "
"""How a private key begins that stands in a setting itself."""

DEFAULTS: dict[str, str | int] = {
    "mode": "live",
    "organisation.name": "City of Example",
    "organisation.address": "",
    "organisation.language": "en",
    "organisation.timezone": "UTC",
    "database.url": "sqlite:///data/outreach.db",
    "relay.url": "smtp://127.0.0.1:25",
    "relay.connections": 10,
    "relay.tls": "auto",
    "relay.throttle": "adaptive",
    "tracking.url": "http://127.0.0.1:8400",
    "tracking.default": "individual",
    "tracking.archive": "no",
    "tracking.push_url": "",
    "mail.domain": "",
    "mail.unsubscribe_mailbox": "",
    "mail.dkim_selector": "outreach",
    "mail.dkim_key": "keys/dkim.pem",
    "mail.dkim_second_selector": "",
    "mail.dkim_second_key": "",
    "mail.sending_addresses": "",
    "gate.link_hosts": "",
    "gate.quiet_hours": "21:00-08:00",
    "gate.jargon": "",
    "gate.spamd": "127.0.0.1:783",
    "digests.at": "08:00",
    "digests.weekday": "monday",
    "digests.sender": "",
    "cron.ping_url": "",
    "feeds.hosts": "",
    "log.file": "",
    "log.level": "info",
    "retention.traces_days": 180,
    "retention.returned_days": 90,
    "retention.rejects_days": 30,
    "retention.messages_days": 0,
    "import.trusted": "",
    "policy.approval_above": 1_000,
    "policy.approval_hours": 48,
    "policy.code_above": 10_000,
    "policy.require_token": 0,
    "policy.not_after_hours": 72,
    "policy.max_attempts": 20,
    "policy.retry_seconds": 300,
    "policy.in_doubt": "hold",
    "policy.quiet_hours": "",
    "policy.soft_bounces": 5,
    "policy.soft_days": 14,
    "policy.suspended_days": 30,
    "policy.pause_hours": 4,
    "policy.soon_seconds": 5,
    "bounces.maildir": "",
    "bounces.imap_url": "",
    "bounces.imap_after": "delete",
    "policy.cap_regular": "",
    "policy.cap_statutory": "",
    "policy.quiet_days": 0,
    "policy.holdout_percent": 0,
}
CHOICES = {
    "mode": ("trial", "live"),
    "digests.weekday": ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"),
    "policy.in_doubt": ("hold", "resend"),
    "relay.tls": ("auto", "require"),
    "relay.throttle": ("adaptive", "shaped"),
    "bounces.imap_after": ("delete", "keep"),
    "log.level": ("debug", "info", "warning", "error"),
    "tracking.default": ("none", "aggregate", "individual"),
    "tracking.archive": ("no", "yes"),
}


@dataclass(frozen=True, slots=True)
class Value:
    """One setting's value and where it came from."""

    value: str | int
    origin: str


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of one workspace. `root` is the folder that holds outreach.toml."""

    root: Path
    values: Mapping[str, Value]

    def text(self, name: str) -> str:
        return str(self.values[name].value)

    def number(self, name: str) -> int:
        return int(self.values[name].value)

    def path(self, name: str) -> Path:
        return self.root / self.text(name)

    def key(self, name: str) -> Path | str | None:
        """Where a private key is, or the key itself where the setting (the environment) holds one; None for none."""
        text = self.text(name)
        if text.startswith(PEM):
            return text
        return self.root / text if text else None

    @property
    def database_url(self) -> str:
        """SQLAlchemy's form; a relative SQLite file is taken from the workspace."""
        url = self.text("database.url")
        prefix = "sqlite:///"
        if url.startswith(prefix) and not url.startswith(prefix + "/"):
            return prefix + str(self.root / url.removeprefix(prefix))
        return url

    @property
    def tracking_url(self) -> str:
        """The service's public address, without a slash at its end."""
        return self.text("tracking.url").rstrip("/")

    @property
    def log_file(self) -> Path | None:
        """Where every process of this workspace writes what it did; None: warnings to stderr, nothing else."""
        return self.path("log.file") if self.text("log.file") else None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.text("organisation.timezone"))

    @property
    def data(self) -> Path:
        """The folder of everything this workspace remembers."""
        return self.root / "data"

    def shown(self) -> dict[str, Value]:
        """All values as they may be printed: a password is three dots."""
        return {name: Value(without_password(item.value), item.origin) for name, item in self.values.items()}


def find_root(start: Path) -> Path:
    """The nearest folder at or above `start` with an outreach.toml."""
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder
    raise ConfigurationError(
        f"there is no {FILE} in {start} or above; run `outreach init DIR` to make a workspace, then work inside it"
    )


def load_settings(start: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of the workspace around `start` (default: the current folder)."""
    root = find_root((start or Path.cwd()).resolve())
    environment = os.environ if environment is None else environment
    values = {name: Value(value, "default") for name, value in DEFAULTS.items()}
    values.update(_from_file(root / FILE))
    values.update(_from_environment(environment))
    for name, item in values.items():
        values[name] = _checked(name, item)
    return Settings(root, values)


def without_password(value: str | int) -> str | int:
    """A URL with its password replaced, three dots for a key; anything else unchanged."""
    if str(value).startswith(PEM):
        return "..."
    if not isinstance(value, str) or "@" not in value or "://" not in value:
        return value
    parts = urlsplit(value)
    if parts.password is None:
        return value
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}:...@{host}"))


def _from_file(path: Path) -> dict[str, Value]:
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from None
    found: dict[str, Value] = {}
    for section, content in document.items():
        entries = {f"{section}.{key}": value for key, value in content.items()} if isinstance(content, dict) else None
        for name, value in ({section: content} if entries is None else entries).items():
            if name not in DEFAULTS:
                raise ConfigurationError(f"{path} sets {name!r}, which does not exist{_meant(name)}")
            if without_password(value) != value and stat.S_IMODE(path.stat().st_mode) & 0o077:
                raise ConfigurationError(
                    f"{path} holds a password in {name} and others can read the file; "
                    f"put the value into the environment as {_variable(name)}, or run `chmod 600 {path.name}`"
                )
            found[name] = Value(value, str(path))
    return found


def _from_environment(environment: Mapping[str, str]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name in DEFAULTS:
        variable = _variable(name)
        if variable in environment:
            found[name] = Value(environment[variable], variable)
        elif file := environment.get(f"{variable}_FILE"):
            try:
                found[name] = Value(Path(file).read_text("utf-8").strip(), f"{variable}_FILE")
            except OSError as error:
                raise ConfigurationError(f"{variable}_FILE names {file}: {error.strerror}") from None
    return found


def _checked(name: str, item: Value) -> Value:
    """The value in its default's type and range, or an error that names its origin."""
    if isinstance(DEFAULTS[name], int):
        try:
            item = Value(int(item.value), item.origin)
        except ValueError:
            raise ConfigurationError(
                f"{name} must be a whole number, not {item.value!r} (from {item.origin})"
            ) from None
    elif not isinstance(item.value, str):
        raise ConfigurationError(f"{name} must be text in quotes, not {item.value!r} (from {item.origin})")
    if name in CHOICES and item.value not in CHOICES[name]:
        raise ConfigurationError(
            f"{name} is {item.value!r} (from {item.origin}); it can be {' or '.join(CHOICES[name])}"
        )
    if name == "organisation.timezone":
        try:
            ZoneInfo(str(item.value))
        except (ZoneInfoNotFoundError, ValueError):
            raise ConfigurationError(
                f"{item.value!r} (from {item.origin}) is no time zone; write it like America/Los_Angeles"
            ) from None
    if name == "tracking.url" and urlsplit(str(item.value)).scheme not in ("http", "https"):
        raise ConfigurationError(f"{name} must begin with https:// (from {item.origin}: {item.value!r})")
    return item


def _variable(name: str) -> str:
    return "OUTREACH_" + name.replace(".", "_").upper()


def _meant(name: str) -> str:
    near = difflib.get_close_matches(name, DEFAULTS, 1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(DEFAULTS)}"
