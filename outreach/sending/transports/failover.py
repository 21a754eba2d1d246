"""Several relays, the first that can be reached first.

Which relay a message goes through is decided when a lane is opened, before any of its messages leaves; one that is in
doubt stays in doubt and is never tried through another relay.
"""

from __future__ import annotations

from collections.abc import Sequence

from outreach.sending.transports import Lane, RelayUnreachable, Transport


class Failover:
    """Opens lanes through the first of `transports` that can be reached."""

    def __init__(self, transports: Sequence[Transport]) -> None:
        self._transports = transports

    async def open(self) -> Lane:
        troubles: list[str] = []
        for transport in self._transports:
            try:
                return await transport.open()
            except RelayUnreachable as error:
                troubles.append(str(error))
        raise RelayUnreachable("; ".join(troubles) or "relay.url names no relay")
