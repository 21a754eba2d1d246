"""Amazon SES's notifications, which SNS can send by mail: one JSON document in a plain text.

{"notificationType": "Bounce", "bounce": {"bouncedRecipients": [{"emailAddress": "ada@example.com", …}]}}
"""

from __future__ import annotations

import json
from typing import Any

from outreach.bounces.found import Found, one_line
from outreach.bounces.report import Report

MAX_DEPTH = 20
_KINDS = {
    "bounce": ("bouncedRecipients", "failed"),
    "complaint": ("complainedRecipients", "complaint"),
    "delivery": ("recipients", "delivered"),
}


def read(report: Report) -> list[Found]:
    """Its recipients; `action` is "complaint" for people who pressed "spam"."""
    text = report.whole.lstrip()
    if not text.startswith("{") or ("otificationType" not in text[:40000] and "ventType" not in text[:40000]):
        return []
    if text.count("{") > 5000 or text.count("[") > 5000:
        return []
    try:
        document, _ = json.JSONDecoder(strict=False).raw_decode(text)
    except (ValueError, RecursionError):
        return []
    kind = str(document.get("notificationType") or document.get("eventType")).lower()
    content = document.get(kind)
    if kind not in _KINDS or not isinstance(content, dict):
        return []
    key, action = _KINDS[kind]
    listed = content.get(key)
    return [_one(each, content, action) for each in (listed if isinstance(listed, list) else [])[:1000]]


def _one(entry: Any, content: dict[str, Any], action: str) -> Found:
    if not isinstance(entry, dict):
        entry = {"emailAddress": entry}
    text = entry.get("diagnosticCode") or content.get("smtpResponse") or ""
    return Found(
        address=str(entry.get("emailAddress", ""))[:320],
        action=action,
        status=str(entry.get("status", ""))[:12],
        text=one_line(str(text).partition(";")[2] or str(text)),
        remote=str(content.get("remoteMtaIp") or content.get("reportingMTA") or "")[:200],
    )
