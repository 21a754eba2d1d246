"""What `relay.url` names.

smtp://host:25  smtps://user:password@host:465    a relay; of several, separated by spaces, the first that answers
directory:PATH                                    a folder of .eml files, in the workspace unless PATH is absolute
esp:NAME                                          a mail service's HTTP interface (`esp`)
"""

from __future__ import annotations

from pathlib import Path

from outreach.sending.transports import Transport, directory, esp
from outreach.sending.transports.directory import DirectoryTransport
from outreach.sending.transports.esp import EspTransport
from outreach.sending.transports.failover import Failover
from outreach.sending.transports.lane import COMMAND_TIMEOUT, DOT_TIMEOUT
from outreach.sending.transports.smtp import Relay, SmtpTransport


def transport_for(
    url: str,
    *,
    hello: str,
    workspace: Path,
    require_tls: bool = False,
    command_timeout: float = COMMAND_TIMEOUT,
    dot_timeout: float = DOT_TIMEOUT,
) -> Transport:
    """The way to the next hop. ConfigurationError says what is wrong with `url`, before anything is claimed."""
    if url.startswith(directory.SCHEME):
        return DirectoryTransport(workspace / url.removeprefix(directory.SCHEME))
    if signs_itself(url):
        return EspTransport.load(url.removeprefix(esp.SCHEME), workspace)
    relays = [
        SmtpTransport(
            Relay.parse(each, require_tls=require_tls),
            hello=hello,
            command_timeout=command_timeout,
            dot_timeout=dot_timeout,
        )
        for each in url.split()
    ]
    return relays[0] if len(relays) == 1 else Failover(relays)


def signs_itself(url: str) -> bool:
    """A mail service composes each message anew from its parts, so that a signature of ours would be thrown away."""
    return url.startswith(esp.SCHEME)
