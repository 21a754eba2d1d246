"""What a hit records about who made it, so that people and machines can be told apart later.

Recorded: the class of the user agent, the class of the network, a hash of the client's /24 or /48
under a random key of the day, and header flags. Never the address itself. Without the day's key,
which is deleted after KEEP_DAYS, the hash says nothing: 2^24 prefixes could otherwise be tried.

What that says about who it was is for `rules` to judge, now or again later.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import re
import secrets
from collections.abc import Iterable
from enum import IntEnum
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from outreach.errors import ConfigurationError
from outreach.events import Flag

KEEP_DAYS = 14
PREFIX_BYTES = 8
NETWORKS = Path(__file__).parent / "networks.txt"
"""What comes with us; a workspace's own networks.txt is read instead."""
DAY_MS = 86_400_000
_log = logging.getLogger(__name__)

Headers = Iterable[tuple[bytes, bytes]]


class Agent(IntEnum):
    """What the User-Agent header says it is. The numbers are stored: never reuse one."""

    NONE = 0
    GOOGLE_PROXY = 1
    """Gmail fetches each picture once for the person, when they open the mail."""
    YAHOO_PROXY = 2
    BARE_MOZILLA = 3
    """Nothing but `Mozilla/5.0`: the shape of Apple's privacy proxy, which fetches whether or not anybody reads."""
    MAIL_CLIENT = 4
    GOOGLE_PREFETCH = 5
    """Gmail fetching pictures of mail that has not been opened, while the person is logged in."""
    PHONE_BROWSER = 6
    BROWSER = 7
    SCANNER = 8
    """Says that it is a program, or whose."""
    OTHER = 9
    """Neither a browser nor a mail program that we know of."""


class Network(IntEnum):
    """Whose network the client is in. The numbers are stored: never reuse one."""

    UNKNOWN = 0
    OTHER = 1
    GOOGLE = 2
    APPLE = 3
    MICROSOFT = 4
    SCANNER = 5


_AGENTS = tuple(
    (agent, re.compile(pattern, re.IGNORECASE))
    for agent, pattern in (
        (Agent.GOOGLE_PROXY, r"GoogleImageProxy|ggpht\.com"),
        (Agent.GOOGLE_PREFETCH, r"Edge/12\.246 Mozilla/5\.0$"),
        (Agent.YAHOO_PROXY, r"YahooMailProxy|YahooCacheSystem"),
        (Agent.BARE_MOZILLA, r"^Mozilla/5\.0$"),
        (Agent.SCANNER, r"crawler|bot/|bot\.html"),
        (
            Agent.MAIL_CLIENT,
            r"ms-?office|microsoft (office|outlook)|outlook-(ios|android|express)|^outlook/|macoutlook"
            r"|windows ?live ?mail|^windowsmail/|thunderbird/|betterbird/|^postbox |postbox/|icedove/"
            r"|seamonkey/|^airmail|applemail|mailspring|^k-9|k9mail|samsung ?email|em[ _]?client/|mailmate"
            r"|mailbird|mailbar/|bluemail|aquamail|fairemail|canarymail|sparkmail|superhuman|foxmail"
            r"|mailmaster|navermailapp|lotus-notes|hcl notes|^evolution/|kmail|claws ?mail|^the bat|^barca"
            r"|incredimail|yahoomobilemail|yahoo(%20| )mail/|yahoo\.ymail/|com\.google\.android\.gm"
            r"|protonmail/|edisonmail|newton mail|^mail/\d|mobilemail|^email/\d|zimbra|franz/|ferdi(um)?/"
            r"|rambox(pro)?/|wavebox/|heyimageproxy"
            # Apps for telephones that fetch pictures by their system's own means.
            r"| cfnetwork/[\d.]+ darwin/|^dalvik/2\.\d\.\d \(linux; u; android",
        ),
        (
            Agent.SCANNER,
            r"bot\b|bot[/_ ;-]|crawl|spider|slurp|scan|archiver|fetch|monitor|preview|validator|checker|headless"
            r"|phantom|proofpoint|barracuda|mimecast|safelinks|symantec|trendmicro|sophos|fireeye|urldefense"
            r"|curl/|wget|python|java/|ruby|perl|libwww|okhttp|go-http|axios|node-fetch|httpclient|aiohttp|scrapy"
            # A browser tells nobody whom to write to; a crawler is asked to.
            r"|https?:|www\.|@\w"
            r"|facebookexternalhit|whatsapp/|telegrambot|slackbot|skypeuripreview|bingpreview",
        ),
    )
)
_VERSION = r"/[\d._]+[a-z]?\w*"
_PLATFORM = (
    r"windows nt \d+\.\d|win64|x64|wow64|arm64|macintosh|intel mac os x [\d_.]+|x11|wayland|ubuntu|fedora|u|n|touch"
    r"|linux(?: \w+)?|cros \w+ [\d.]+|iphone|ipad|ipod(?: touch)?|cpu (?:iphone )?os [\d_]+ like mac os x|rv:[\d.]+"
    r"|[a-z]{2}(?:-[a-z]{2})?|mobile|tablet|trident/7\.0|\.net[\w. ]*|slcc2|media center pc [\d.]+|microsoft outlook"
)
_ANDROID = (
    r"linux; (?:u; )?android(?: [\d.]+)?(?:; (?:[^();]|\([^()]*\))+)*|android [\d.]+; (?:mobile|tablet)(?:; rv:[\d.]+)?"
)
_PRODUCTS = (
    r"chrome|chromium|safari|version|mobile|firefox|gecko|fxios|focus|crios|gsa|edg|edga|edgios|edge|opr|opt|opx|opios"
    r"|samsungbrowser|vivaldi|yabrowser|duckduckgo|ddg|brave|ucbrowser|silk|qtwebengine|epiphany|iron|whale|maxthon"
    r"|miuibrowser|huaweibrowser|heytapbrowser|vivobrowser|ecosia|klar|palemoon|waterfox|librewolf"
)
_BROWSER = re.compile(
    rf"mozilla/5\.0 \((?:{_ANDROID}|(?:(?:{_PLATFORM})(?:; ?|(?=\))))+)\)"
    rf"(?: applewebkit{_VERSION} ?\(khtml, like gecko\)| like gecko| like| gecko| mobile| (?:{_PRODUCTS}){_VERSION})+",
    re.IGNORECASE,
)
"""A browser's name has this form and no word besides. Whoever adds one wants to be known, and is not a person."""
_PHONE = re.compile(r"iphone|ipad|ipod|android|mobile", re.IGNORECASE)

# Plain numbers: combining enum members takes longer than all the rest of a hit.
_METHODS = {"HEAD": int(Flag.HEAD), "POST": int(Flag.POST)}
_PRESENT = {
    b"accept-language": int(Flag.ACCEPT_LANGUAGE),
    b"sec-fetch-user": int(Flag.FETCH_USER),
    b"cookie": int(Flag.COOKIE),
    b"referer": int(Flag.REFERER),
    b"range": int(Flag.RANGE),
}
_NAVIGATE, _ACCEPT_IMAGE, _PREFETCHED = int(Flag.NAVIGATE), int(Flag.ACCEPT_IMAGE), int(Flag.PREFETCH)
_PREFETCH = (b"sec-purpose", b"purpose", b"x-moz")


class Signals(NamedTuple):
    """What one request shows of its sender, in the order of an event's columns."""

    agent_class: int
    network_class: int
    prefix_hash: bytes
    flags: int


@lru_cache(8192)
def agent_class(header: bytes) -> Agent:
    text = header[:400].decode("latin-1").strip()
    if not text:
        return Agent.NONE
    for agent, pattern in _AGENTS:
        if pattern.search(text):
            return agent
    if not _BROWSER.fullmatch(text):
        return Agent.OTHER
    return Agent.PHONE_BROWSER if _PHONE.search(text) else Agent.BROWSER


def read_headers(method: str, headers: Headers) -> tuple[bytes, int]:
    """The user agent, and what else the request shows as bits of `events.Flag`."""
    agent = b""
    flags = _METHODS.get(method, 0)
    for name, value in headers:
        if name == b"user-agent":
            agent = value
        elif name in _PRESENT:
            flags |= _PRESENT[name]
        elif name == b"sec-fetch-mode" and value == b"navigate":
            flags |= _NAVIGATE
        elif name == b"accept" and value.startswith(b"image/"):
            flags |= _ACCEPT_IMAGE
        elif name in _PREFETCH and b"prefetch" in value:
            flags |= _PREFETCHED
    return agent, flags


class DayKeys:
    """One random key a day, shared by the processes of this machine, forgotten after KEEP_DAYS."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._keys: dict[int, bytes] = {}

    def get(self, day: int) -> bytes:
        """The key of a day (days since 1970, UTC)."""
        key = self._keys.get(day)
        if key is None:
            self._keys = {day: self._load(day)}
            key = self._keys[day]
        return key

    def _load(self, day: int) -> bytes:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._forget(before=day - KEEP_DAYS)
            return self._shared(day)
        except OSError as error:
            # A key of our own still hides the address; only processes can then not be compared.
            _log.warning("the day's key cannot be kept in %s: %s", self._folder, error)
            return secrets.token_bytes(32)

    def _shared(self, day: int) -> bytes:
        path = self._folder / f"{day}.key"
        draft = self._folder / f".{day}.{secrets.token_hex(4)}"
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            os.write(descriptor, secrets.token_bytes(32))
            os.link(draft, path)  # fails if another process was first, so nobody ever reads a part
        except FileExistsError:
            pass
        finally:
            os.close(descriptor)
            draft.unlink()
        return path.read_bytes()

    def _forget(self, *, before: int) -> None:
        for path in self._folder.glob("*.key"):
            if path.stem.isdigit() and int(path.stem) < before:
                path.unlink(missing_ok=True)


class Observer:
    """Turns a request into Signals."""

    def __init__(self, keys: DayKeys, *, networks: Iterable[tuple[str, Network]] | None = None) -> None:
        self._keys = keys
        self._networks = Networks(load_networks() if networks is None else networks)
        self._place = lru_cache(65_536)(self._locate)

    def observe(self, *, method: str, headers: Headers, client: str, at_ms: int) -> Signals:
        """`client` is the address as text; it goes no further than this call."""
        agent, flags = read_headers(method, headers)
        network, prefix = self._place(client, at_ms // DAY_MS)
        return Signals(int(agent_class(agent)), int(network), prefix, flags)

    def _locate(self, client: str, day: int) -> tuple[Network, bytes]:
        try:
            address = ipaddress.ip_address(client)
        except ValueError:
            return Network.UNKNOWN, b""
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        prefix = address.packed[: 3 if address.version == 4 else 6]
        network = self._networks.of(address)
        return network, blake2b(prefix, key=self._keys.get(day), digest_size=PREFIX_BYTES).digest()


class Networks:
    """Whose network an address is in; the longest block that holds it says so. Made for hundreds of thousands."""

    def __init__(self, blocks: Iterable[tuple[str, Network]]) -> None:
        found: dict[tuple[int, int], dict[int, Network]] = {}
        for text, owner in blocks:
            block = ipaddress.ip_network(text)
            host_bits = block.max_prefixlen - block.prefixlen
            found.setdefault((block.version, host_bits), {})[int(block.network_address) >> host_bits] = owner
        self._blocks = {
            version: sorted((bits, table) for (of, bits), table in found.items() if of == version) for version in (4, 6)
        }

    def of(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Network:
        number = int(address)
        for host_bits, table in self._blocks[address.version]:
            if owner := table.get(number >> host_bits):
                return owner
        return Network.OTHER


def load_networks(path: Path = NETWORKS) -> list[tuple[str, Network]]:
    """The blocks in a file: `66.249.80.0/20 google` a line, # begins a comment. Raises ConfigurationError."""
    found = []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            block, owner = words
            found.append((str(ipaddress.ip_network(block)), Network[owner.upper()]))
        except (ValueError, KeyError):
            owners = ", ".join(network.name.lower() for network in Network)
            raise ConfigurationError(
                f"{path}, line {number}: write a block and whose it is, as in 66.249.80.0/20 google ({owners})"
            ) from None
    return found
