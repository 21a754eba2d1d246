"""Making the copies of messages that the service shows in browsers; the loader does it, which has the database.

A copy is rendered for nobody: where it would print something of a person's and says no default, it has an ellipsis.
"""

from __future__ import annotations

import logging
from pathlib import Path

from outreach.errors import OutreachError
from outreach.rendering.errors import MissingValue
from outreach.rendering.message import CompiledMessage, Recipient
from outreach.rendering.personal import PERSONAL_LINK, fields_of, filled
from outreach.rendering.preview import direct, render_preview
from outreach.rendering.questions import ANSWER_BASE
from outreach.store import campaigns
from outreach.store.database import Store
from outreach.store.dialects import to_ms
from tracking import copies
from tracking.copies import Copies, Copy
from tracking.links import LinkTables

SOMETHING = "…"
_URLS = {
    "unsubscribe_url": "/u/copy",
    "preferences_url": "/u/copy",
    "view_url": "#",
    "pixel_url": "data:,",
    "click_base": "#",
    ANSWER_BASE: "/s/copy/",
}
"""Who reads a copy has no link of their own to leave or answer by; those pages say to use the one in the mail."""
_log = logging.getLogger(__name__)


class Copier:
    """Publishes what is missing. `archive`: topics' campaigns are public."""

    def __init__(self, store: Store, folder: Path, *, archive: bool) -> None:
        self._store = store
        self._folder = folder
        self._archive = archive
        self._links = LinkTables(folder)
        self._done: set[int] = set()

    def run_once(self) -> int:
        """Copies of campaigns whose links are published and whose copy is not. How many were made."""
        made = 0
        for path in self._folder.glob("*.json"):
            number = path.name.removesuffix(".json")
            if not number.isdigit() or int(number) in self._done:
                continue
            if not (self._folder / f"{number}{copies.ENDING}").exists():
                made += self._copy(int(number))
            self._done.add(int(number))
        return made

    def _copy(self, campaign_id: int) -> bool:
        found = self._links.get(campaign_id)
        with self._store.read() as connection:
            documents = campaigns.messages(connection, campaign_id)
            if found is None or not documents:
                return False
            campaign = campaigns.get(connection, campaign_id)
        table = found.table
        public = self._archive and table.topic_id is not None
        here = {"view_url": copies.archived_at(table.topic_id, campaign_id)} if public else {}
        languages = {}
        for language, document in sorted(documents.items(), key=lambda one: one[0] != found.table.language):
            try:
                languages[language] = _rendered(CompiledMessage.from_document(document), _URLS | here)
            except (OutreachError, ValueError) as error:
                _log.warning("campaign %s has no copy to read in a browser in %s: %s", campaign.name, language, error)
        if not languages:
            return False
        sent = to_ms(campaign.started_at or campaign.planned_at) // 1000
        copies.publish(
            self._folder,
            campaign_id,
            Copies(table.organisation, table.topic_id, table.topic, sent, public, languages),
        )
        return True


def _rendered(compiled: CompiledMessage, urls: dict[str, str]) -> Copy:
    """The message for nobody, its links leading where they really go. Raises as composing does."""
    for number, template in enumerate(compiled.links):
        if fields_of(template):
            urls[f"{PERSONAL_LINK}{number}"] = filled(template, {})
    straight = direct(compiled)
    printed: dict[str, object] = {}
    while True:
        try:
            subject, html, _ = render_preview(straight, Recipient(0, "", printed), urls=urls)
        except MissingValue as missing:
            if missing.field in printed:
                raise
            printed[missing.field] = SOMETHING
        else:
            return Copy(subject, html)
