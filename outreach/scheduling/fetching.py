"""Fetching from the world without being sent somewhere else: an allow-list, one look at the DNS, limits on everything.

A feed's address is typed by staff and its server is not ours. So: only hosts in `feeds.hosts`; http and https on their
own ports; the name is resolved once, every address it has must be public, and that very address is connected to (a
second answer cannot lead inside); no redirects; five seconds in all and two megabytes.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from outreach.errors import OutreachError

MAX_BYTES = 2 * 1024 * 1024
SECONDS = 5.0
PORTS = {"http": 80, "https": 443}
_BLOCK = 64 * 1024
_SHARED = ipaddress.ip_network("100.64.0.0/10")
"""RFC 6598: carrier-grade NAT, which `is_global` calls neither private nor global."""

Resolve = Callable[[str, int], list[str]]


class FetchRefused(OutreachError):
    """This address is not one we go to, or what came back is not what we take."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a server answered; `body` is None if it has not changed."""

    body: bytes | None
    etag: str
    modified: str


def fetch(
    url: str, *, hosts: Collection[str], etag: str = "", modified: str = "", resolve: Resolve | None = None
) -> Fetched:
    """GET one document. FetchRefused says in words why not."""
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".").lower()
    if parts.scheme not in PORTS or not host or parts.username is not None:
        raise FetchRefused(f"{url!r} is no plain web address")
    if host not in {each.lower() for each in hosts}:
        raise FetchRefused(f"{host} is not in feeds.hosts; add it there if you know who runs it")
    port = _port(url)
    address = public_address(host, port, resolve=resolve or _resolve)
    until = time.monotonic() + SECONDS
    connection = _Pinned(host, port, address, secure=parts.scheme == "https")
    # A server that sends a letter of its headers now and then never makes a socket's own timeout pass.
    watch = threading.Timer(SECONDS, connection.give_up)
    watch.daemon = True
    watch.start()
    try:
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"User-Agent": "outreach", "Accept": "application/rss+xml, application/atom+xml, application/xml"}
        headers |= {"If-None-Match": etag} if etag else {}
        headers |= {"If-Modified-Since": modified} if modified else {}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        _refuse_late(until, host)
        if answer.status == http.client.NOT_MODIFIED:
            return Fetched(None, etag, modified)
        if answer.status != http.client.OK:
            raise FetchRefused(f"{host} answered {answer.status}; redirects are not followed, write the final address")
        return Fetched(
            _read(answer, until, host), answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", "")
        )
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise FetchRefused(f"{host} could not be read: {error or type(error).__name__}") from None
    finally:
        watch.cancel()
        connection.close()


def public_address(host: str, port: int, *, resolve: Resolve) -> str:
    """The address to connect to. FetchRefused if any that the name has leads into a network of ours."""
    try:
        found = resolve(host, port)
    except OSError as error:
        raise FetchRefused(f"{host} cannot be found: {error}") from None
    for each in found:
        if not is_public(each):
            raise FetchRefused(f"{host} leads to {each}, which is not on the public internet")
    if not found:
        raise FetchRefused(f"{host} has no address")
    return found[0]


def is_public(address: str) -> bool:
    """False for private, local, link-local, shared, documentation and metadata addresses, in whatever spelling."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is not None:
            return is_public(str(inner))
        if found in ipaddress.ip_network("64:ff9b::/96"):  # RFC 6052: an IPv4 address inside
            return is_public(str(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)))
    shared = isinstance(found, ipaddress.IPv4Address) and found in _SHARED
    return found.is_global and not found.is_multicast and not shared


class _Pinned(http.client.HTTPConnection):
    """A connection to an address that was looked at, under the name it was looked up by."""

    def __init__(self, host: str, port: int, address: str, *, secure: bool) -> None:
        super().__init__(host, port, timeout=SECONDS)
        self._address, self._secure = address, secure

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._secure:
            self.sock = ssl.create_default_context().wrap_socket(self.sock, server_hostname=self.host)

    def give_up(self) -> None:
        """End whatever waits for this server."""
        with contextlib.suppress(OSError):
            if self.sock is not None:
                self.sock.shutdown(socket.SHUT_RDWR)


def _read(answer: http.client.HTTPResponse, until: float, host: str) -> bytes:
    found = bytearray()
    while block := answer.read1(_BLOCK):
        found += block
        if len(found) > MAX_BYTES:
            raise FetchRefused(f"{host} sent more than {MAX_BYTES // 1024 // 1024} MB")
        _refuse_late(until, host)
    return bytes(found)


def _refuse_late(until: float, host: str) -> None:
    if time.monotonic() > until:
        raise FetchRefused(f"{host} took longer than {SECONDS:.0f} seconds")


def _port(url: str) -> int:
    parts = urlsplit(url)
    try:
        port = parts.port or PORTS[parts.scheme]
    except ValueError:
        raise FetchRefused(f"{url!r} has no port we can read") from None
    if port != PORTS[parts.scheme]:
        raise FetchRefused(f"{url!r} names port {port}; only 80 and 443 are fetched from")
    return port


def _resolve(host: str, port: int) -> list[str]:
    return [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
