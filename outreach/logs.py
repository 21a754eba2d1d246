"""Logs for machines to read: one JSON object a line, and nobody's address in any of them.

    {"at": "2026-11-21T12:00:00.123Z", "level": "info", "process": "outreach cron", "pid": 4711, "says": "done", …}

Whatever looks like an address, a token of ours or a network address is taken out as the line is written, also out of
an error's text that came from somebody else's server. A log file may be renamed or removed while we run: the next line
goes to a new one. Without a file only warnings are written, to stderr.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import re
import sys
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any, Final

from outreach.errors import ConfigurationError

LEVELS: Final = ("debug", "info", "warning", "error")
_FIELDS: Final = "fields"
_MAX: Final = 4_000
_HIDDEN: Final = (
    (re.compile(r"[^\s<>\"'(),;:=\[\]{}|]+(?:@|%40|=40)[^\s<>\"'(),;:\[\]{}|]+"), "<address>"),
    (re.compile(r"(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{28}(?![A-Za-z0-9_-])"), "<token>"),  # see outreach.tokens
    (re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b"), "<network>"),
    (re.compile(r"(?i)(?<![\w:.])(?:[0-9a-f]{0,4}:){3,7}[0-9a-f]{0,4}(?![\w:])"), "<network>"),
)


def redact(text: str) -> str:
    """The text without what could name a person: addresses, tokens, network addresses."""
    for pattern, instead in _HIDDEN:
        text = pattern.sub(instead, text)
    return text


class JsonLines(logging.Formatter):
    """A record as one line of JSON."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        at = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "at": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "process": self._process,
            "pid": record.process,
            "from": record.name,
            "says": redact(record.getMessage())[:_MAX],
        }
        for name, value in getattr(record, _FIELDS, {}).items():
            line[name] = redact(value)[:_MAX] if isinstance(value, str) else value
        if record.exc_info and record.exc_info[0]:
            line["error"] = record.exc_info[0].__name__
            line["trace"] = redact(self.formatException(record.exc_info))[-_MAX:]
        return json.dumps(line, ensure_ascii=False, default=lambda value: redact(str(value)))


def begin(process: str, *, file: Path | None, level: str) -> None:
    """Write the log of this process from now on. ConfigurationError if its file cannot be written."""
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old.formatter, JsonLines):
            root.removeHandler(old)
            old.close()
    handler: logging.Handler
    if file is None:
        handler = logging.StreamHandler(sys.stderr)
        handler.setLevel(logging.WARNING)
    else:
        handler = _watched(file)
    handler.setFormatter(JsonLines(process))
    root.addHandler(handler)
    root.setLevel(level.upper())
    for loud in ("asyncio", "sqlalchemy", "alembic", "mail", "aiosmtplib"):
        logging.getLogger(loud).setLevel(logging.WARNING)


def is_begun() -> bool:
    return any(isinstance(each.formatter, JsonLines) for each in logging.getLogger().handlers)


def note(logger: logging.Logger, says: str, **fields: Any) -> None:
    """A line that all is well, with numbers and names of ours beside it."""
    logger.info(says, extra={_FIELDS: fields})


def _watched(file: Path) -> WatchedFileHandler:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        old = os.umask(0o077)
        try:
            return WatchedFileHandler(file, encoding="utf-8")
        finally:
            os.umask(old)
    except OSError as error:
        raise ConfigurationError(f"log.file is {file}, which cannot be written: {error.strerror}") from None
