"""The service for any ASGI server, without the fast path: `granian --interface asginl tracking.asgi:app`.

Run it in the workspace. `outreach track` (uvicorn, with the fast path) is the usual way. Several workers of another
server record as well as one, but each has its own `/metrics`: nobody has made a board for them (tracking.counters).
"""

from __future__ import annotations

from outreach.settings import load_settings
from tracking.app import Tracking
from tracking.configuration import configuration

app = Tracking(configuration(load_settings()))
