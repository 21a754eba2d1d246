"""One worker of `outreach track`: the tracking service, and on the same socket the pages for staff.

The staff's pages decide, so they belong to campaigns; the tracking service records, and knows nothing of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from outreach.campaigns.desk import Desk
from outreach.settings import Settings
from outreach.tokens import KeyRing
from tracking.__main__ import main
from tracking.app import Route


def staff_pages(settings: Settings, keys: KeyRing) -> Sequence[Route]:
    return Desk(settings, keys).routes()


if __name__ == "__main__":
    main(more=staff_pages)
