"""Sending the mail that asks "is it really you?", or that leads to what we hold: one notification for each, through
the ledger.

The key of the notification is the confirmation's number, so however often this runs, and wherever, one mail
leaves. Its text is the pages' own, in the language of whoever asked.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from outreach.cli.notify import deliver
from outreach.cli.workspace import Workspace
from outreach.errors import OutreachError
from outreach.sending.gate import CONFIRMATION
from outreach.store import confirmations, topics
from outreach.store.confirmations import Confirmation
from outreach.store.topics import Topic
from outreach.tokens import Purpose, confirm_url, load_keys
from tracking.pages.words import LANGUAGES

AT_ONCE: Final = 100
"""In one run of cron; the next comes within a minute."""
_TEXT: Final = """\
---
subject: {subject}
to: everyone
topic: {topic}
from: {organisation} <{local}@{domain}>
---
{body}

{{{{ confirm_link }}}}

{ignore}
"""


def send_confirmations(workspace: Workspace) -> str | None:
    """Send what is waiting; the first trouble in words, or None."""
    with workspace.store.read() as connection:
        waiting = confirmations.unsent(connection, now=workspace.now(), limit=AT_ONCE)
        known = topics.everyone(connection)
    if not waiting:
        return None
    if not known:
        return "sign-ups wait for a confirmation mail, and there is no topic yet"
    keys = load_keys(workspace.token_keys)
    trouble = None
    for asked in waiting:
        topic = next((each for each in known if str(each.id) in asked.topics), known[0])
        token = keys.sign(Purpose.CONFIRM, asked.id, asked.subscriber_id)
        link = confirm_url(workspace.settings.tracking_url, token)
        path = _campaign(workspace, asked, topic)
        values = {"confirm_link": link}
        try:
            deliver(
                workspace, path, asked.address, key=f"confirm-{asked.id}", values=values, message_class=CONFIRMATION
            )
        except OutreachError as error:
            trouble = trouble or f"confirmation {asked.id} was not sent: {error}"
            continue
        with workspace.store.write() as connection:
            confirmations.sent(connection, asked.id, at=workspace.now())
    return trouble


def _campaign(workspace: Workspace, asked: Confirmation, topic: Topic) -> Path:
    """The text in one language about one topic, as a campaign file of ours.

    It is put there whole: another run of cron may be reading the one before.
    """
    settings = workspace.settings
    code = (asked.locale or "").split("-")[0]
    if code not in LANGUAGES:
        code = settings.text("organisation.language").split("-")[0]
    words = LANGUAGES.get(code, LANGUAGES["en"])
    organisation = settings.text("organisation.name")
    folder = settings.data / "confirmations" / (code if code in LANGUAGES else "en") / str(topic.id)
    folder.mkdir(parents=True, exist_ok=True)
    if asked.kind == confirmations.HELD:
        name, said = "held.md", (words.held_mail_subject, words.held_mail_body, words.held_mail_ignore)
    else:
        name, said = "confirm.md", (words.mail_subject, words.mail_body, words.mail_ignore)
    subject, body, ignore = said
    path = folder / name
    written = folder / f".{name}.{os.getpid()}"
    written.write_text(
        _TEXT.format(
            subject=subject,
            topic=topic.name,
            organisation=organisation,
            local="news",
            domain=settings.text("mail.domain"),
            body=body.format(organisation=organisation),
            ignore=ignore,
        ),
        "utf-8",
    )
    return written.replace(path)
