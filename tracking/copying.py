"""Making the copies of messages that the service shows in browsers; the loader does it, which has the database.

A copy is rendered for nobody: a message that prints a field without a default has no copy in that language.
"""

from __future__ import annotations

import logging
from pathlib import Path

from outreach.errors import OutreachError
from outreach.rendering.message import CompiledMessage, Recipient
from outreach.rendering.preview import direct, render_preview
from outreach.store import campaigns
from outreach.store.database import Store
from outreach.store.dialects import to_ms
from tracking import copies
from tracking.copies import Copies, Copy
from tracking.links import LinkTables

_NOBODY = Recipient(0, "", {})
_URLS = {
    "unsubscribe_url": "/u/copy",
    "preferences_url": "/u/copy",
    "view_url": "#",
    "pixel_url": "data:,",
    "click_base": "#",
}
"""Who reads a copy has no link of their own to leave by; that page says to use the one in the mail."""
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
        languages = {}
        for language, document in sorted(documents.items(), key=lambda one: one[0] != found.table.language):
            try:
                compiled = direct(CompiledMessage.from_document(document))
                subject, html, _ = render_preview(compiled, _NOBODY, urls=_URLS)
                languages[language] = Copy(subject, html)
            except (OutreachError, ValueError) as error:
                _log.warning("campaign %s has no copy to read in a browser in %s: %s", campaign.name, language, error)
        if not languages:
            return False
        table = found.table
        sent = to_ms(campaign.started_at or campaign.planned_at) // 1000
        public = self._archive and table.topic_id is not None
        copies.publish(
            self._folder,
            campaign_id,
            Copies(table.organisation, table.topic_id, table.topic, sent, public, languages),
        )
        return True
