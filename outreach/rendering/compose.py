"""One message per person, from what was compiled once.

A Composer belongs to one campaign in one language. It renders the wire-ready parts with a person's values, writes the
headers that differ, hashes, and has the batch signed. What is wrong with one person's data is that person's
ComposeError; the others are not concerned.
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cached_property
from hashlib import sha256
from typing import Any, NamedTuple
from urllib.parse import quote

from outreach import tokens as links
from outreach.rendering import headers, personal, preview, wire
from outreach.rendering.dkim import Seal, Signer
from outreach.rendering.errors import ComposeError
from outreach.rendering.expressions import missing
from outreach.rendering.invitation import FILE, UNSTAMPED, stamp
from outreach.rendering.message import CompiledMessage, Message, Recipient
from outreach.rendering.questions import ANSWER_BASE
from outreach.rendering.wire import SOFT, WireTemplate, segment
from outreach.tokens import KeyRing, Purpose

MAX_NAME = 100
"""Characters of a name shown in To; ours. A longer one is rather a mistake in the data."""

_CALENDAR = (
    f'Content-Type: text/calendar; charset=utf-8; method=PUBLISH; name="{FILE}"\r\n'
    f'Content-Disposition: attachment; filename="{FILE}"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
)
_PART = "Content-Type: text/{}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"


class _Draft(NamedTuple):
    """A message before its signature."""

    message_id: str
    return_path: str
    recipient: str
    head: str
    canonical: str
    body: bytes


_OWN = {
    "unsubscribe_url": (Purpose.UNSUBSCRIBE, links.unsubscribe_url),
    "preferences_url": (Purpose.PREFERENCES, links.preferences_url),
    "view_url": (Purpose.VIEW, links.view_url),
    ANSWER_BASE: (Purpose.ANSWER, links.answer_base),
}
_FOLLOWING = {"click_base": (Purpose.CLICK, links.click_base), "pixel_url": (Purpose.OPEN, links.open_url)}
"""Our own addresses in a message, by their names in templates: what proves them, and their shape."""


class _Parts(NamedTuple):
    """The two readable parts, and whose tokens they need."""

    text: WireTemplate
    html: WireTemplate
    purposes: tuple[Purpose, ...]
    """Of tokens that name the person: for Message-ID, for the return path, and for the first of the links."""
    follows: tuple[Purpose, ...]
    """Of those that name whom we follow, if anybody: for the other links."""
    links: tuple[tuple[str, Callable[[str, str], str]], ...]

    @staticmethod
    def of(compiled: CompiledMessage) -> _Parts:
        language, constants = compiled.language, compiled.constants
        text = WireTemplate(compiled.text, form=wire.TEXT, language=language, constants=constants)
        html = WireTemplate(compiled.html, form=wire.HTML, language=language, constants=constants)
        wants = text.names | html.names | {"unsubscribe_url"}
        own, following = ([(name, *some[name]) for name in some if name in wants] for some in (_OWN, _FOLLOWING))
        return _Parts(
            text,
            html,
            purposes=(Purpose.MESSAGE_ID, Purpose.RETURN_PATH, *(purpose for _, purpose, _ in own)),
            follows=tuple(purpose for _, purpose, _ in following),
            links=tuple((name, shape) for name, _, shape in own + following),
        )


NOBODY = 0
"""Of a link that is everybody's, and so tells that somebody followed it, not who."""


class _Clock(NamedTuple):
    """What changes once a second."""

    seconds: int
    date: str
    close: str
    """The end of the body, with the invitation if there is one."""


class Composer:
    """Composes and signs. `domain` is ours for Message-ID and return path; the signer may sign for another.

    `automatic`: a machine decided to send it (a confirmation, a case's status), as against a campaign.
    `id_prefix` begins each Message-ID; without it the same person's mail of the same campaign has the same one.

    Raises headers.HeaderError here, once, when a header that is the same for everybody could not be written.
    """

    def __init__(
        self,
        compiled: CompiledMessage,
        *,
        campaign_id: int,
        tokens: KeyRing,
        tracking_url: str,
        domain: str,
        list_id: str,
        feedback_id: str,
        unsubscribe_mailbox: str | None,
        signer: Signer | None,
        automatic: bool = False,
        id_prefix: str = "",
    ) -> None:
        self._compiled, self._campaign_id, self._tokens = compiled, campaign_id, tokens
        self._tracking_url, self._domain, self._id_prefix = tracking_url.rstrip("/"), domain, id_prefix
        headers.address(f"postmaster@{domain}")
        self._long_urls = self._needs_wrapping()
        self._leave_by_mail = ""
        if unsubscribe_mailbox:
            self._leave_by_mail = f"mailto:{quote(headers.address(unsubscribe_mailbox), safe='@')}?subject="
        language, constants = compiled.language, compiled.constants
        self._followed = _Parts.of(compiled)
        self._subject = WireTemplate(compiled.subject, form=wire.HEADER, language=language, constants=constants)
        self._personal = personal.numbers_in(self._followed.text.names | self._followed.html.names)
        self._fields = tuple((field, missing(field)) for field in sorted(compiled.fields))
        boundary = f"=_{compiled.hash[:24]}"  # `=_` never occurs in quoted-printable (RFC 2045, section 6.7)
        self._open_text = f"--{boundary}\r\n{_PART.format('plain')}"
        self._open_html = f"\r\n--{boundary}\r\n{_PART.format('html')}"
        self._close = f"\r\n--{boundary}--\r\n"
        content_type = f'multipart/alternative; boundary="{boundary}"'
        if compiled.calendar:
            content_type = self._with_invitation(compiled.calendar, content_type, outer=f"=_{compiled.hash[24:48]}")
        self._static(content_type, list_id=list_id, feedback_id=feedback_id, automatic=automatic)
        names = ("from", "to", "subject", "date", "message-id", *self._static_names, "list-unsubscribe")
        self._seals: list[Seal] = []
        while signer is not None:
            self._seals.append(Seal(signer, names))
            signer = signer.second
        self._clock = _Clock(-1, "", "")

    @cached_property
    def _unfollowed(self) -> _Parts:
        """Both parts for who does not want to be followed; made when the first such person comes."""
        return _Parts.of(preview.untracked(preview.direct(self._compiled)))

    def _needs_wrapping(self) -> bool:
        """Our own addresses are plain by construction; only with a very long tracking address they need wrapping."""
        sample = links.click_base(self._tracking_url, self._tokens.sign(Purpose.CLICK, 0, 0)) + ".gif"
        if set(sample) & set(" <>"):
            raise headers.HeaderError(f"the tracking address {self._tracking_url!r} is no address")
        headers.checked("List-Unsubscribe", f"<{sample}>")
        return segment(sample) != sample + SOFT

    def _with_invitation(self, calendar: str, inner: str, *, outer: str) -> str:
        """Put the two readable parts and an invitation (RFC 6047) side by side; returns the whole's content type."""
        self._open_text = f"--{outer}\r\nContent-Type: {inner}\r\n\r\n{self._open_text}"
        before, _, behind = calendar.partition(UNSTAMPED)
        self._close += f"--{outer}\r\n{_CALENDAR}{segment(before)}"
        self._behind = f"{wire.quoted_printable(behind)[0]}--{outer}--\r\n"
        return f'multipart/mixed; boundary="{outer}"'

    def _static(self, content_type: str, *, list_id: str, feedback_id: str, automatic: bool) -> None:
        """The headers everybody gets alike, written and in canonical form (RFC 6376, 3.4.2)."""
        compiled = self._compiled
        sender = headers.mailbox(compiled.sender.name, compiled.sender.address)
        same = [
            ("MIME-Version", "1.0"),
            ("Content-Type", content_type),
            ("Content-Language", compiled.language),
            ("List-Id", f"<{list_id}>"),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
            ("Feedback-ID", feedback_id),
        ]
        # So that nobody's vacation answers it (RFC 3834, 5; older programs look at Precedence).
        same.append(("Auto-Submitted", "auto-generated") if automatic else ("Precedence", "bulk"))
        if compiled.reply_to:
            same.insert(0, ("Reply-To", headers.mailbox(compiled.reply_to.name, compiled.reply_to.address)))
        same = [(name, headers.checked(name, value)) for name, value in same]
        self._from_line = headers.line("From", headers.checked("From", sender))
        self._from_canonical = f"from:{sender}\r\n"
        self._static_names = tuple(name for name, _ in same)
        self._static_lines = "".join(headers.line(name, value) for name, value in same)
        self._static_canonical = "".join(f"{name.lower()}:{value}\r\n" for name, value in same)

    def compose(self, recipient: Recipient, *, now: datetime) -> Message:
        """This person's message, or ComposeError."""
        (result,) = self.compose_many([recipient], now=now)
        if isinstance(result, ComposeError):
            raise result
        return result

    def compose_many(self, recipients: Sequence[Recipient], *, now: datetime) -> list[Message | ComposeError]:
        """One result for each recipient, in order; the whole batch is signed in one call."""
        clock = self._tick(now)
        results: list[_Draft | ComposeError] = []
        for recipient in recipients:
            try:
                results.append(self._draft(recipient, clock))
            except ComposeError as error:
                results.append(error)
        drafts = [result for result in results if isinstance(result, _Draft)]
        sealed = iter(self._sealed(drafts, clock.seconds))
        return [next(sealed) if isinstance(result, _Draft) else result for result in results]

    def _tick(self, now: datetime) -> _Clock:
        seconds = int(now.timestamp())
        if seconds != self._clock.seconds:
            close = self._close
            if self._compiled.calendar:
                close += f"DTSTAMP:{stamp(now)}{self._behind}"
            self._clock = _Clock(seconds, format_datetime(now.astimezone(UTC)), close)
        return self._clock

    def _draft(self, recipient: Recipient, clock: _Clock) -> _Draft:
        try:
            return self._made(recipient, clock)
        except ComposeError:
            raise
        except headers.HeaderError as error:
            raise ComposeError(str(error)) from None
        except Exception as error:  # a template may fail in any way; it must cost one person only
            preview.explain_failure(self._compiled, recipient)
            raise ComposeError(f"the message cannot be rendered ({type(error).__name__})") from error

    def _made(self, recipient: Recipient, clock: _Clock) -> _Draft:
        sign, campaign, person = self._tokens.sign_each, self._campaign_id, recipient.subscriber_id
        base, parts = self._tracking_url, self._followed if recipient.tracked else self._unfollowed
        id_token, path_token, *tokens = sign(parts.purposes, campaign, person)
        tokens += sign(parts.follows, campaign, _follower(recipient))
        urls = {name: shape(base, token) + SOFT for (name, shape), token in zip(parts.links, tokens, strict=True)}
        unsubscribe = urls["unsubscribe_url"].removesuffix(SOFT)
        if self._long_urls:
            urls = {name: segment(url.removesuffix(SOFT)) for name, url in urls.items()}
        values = self._values(recipient.attributes)
        if self._personal:
            values |= (
                self._personal_links(recipient) if recipient.tracked else preview.straight(self._compiled, recipient)
            )
        text, html = parts.text.render(values, urls=urls), parts.html.render(values, urls=urls)
        body = "".join((self._open_text, *text, self._open_html, *html, clock.close)).encode("ascii")
        message_id = f"{self._id_prefix}{id_token}@{self._domain}"
        return_path = links.return_path(path_token, domain=self._domain)
        address = headers.address(recipient.address)
        subject = headers.subject("".join(self._subject.render(dict(values))))
        to, leave = self._to(recipient, address), self._leave(unsubscribe)
        head = (
            f"{self._from_line}{headers.line('To', to)}{headers.line('Subject', subject)}"
            f"Date: {clock.date}\r\nMessage-ID: <{message_id}>\r\n{self._static_lines}"
            f"{headers.line('List-Unsubscribe', leave)}\r\n"
        )
        canonical = (
            f"{self._from_canonical}to:{to}\r\nsubject:{subject}\r\ndate:{clock.date}\r\nmessage-id:<{message_id}>\r\n"
            f"{self._static_canonical}list-unsubscribe:{leave}\r\n"
        )
        return _Draft(f"<{message_id}>", return_path, address, head, canonical, body)

    def _personal_links(self, recipient: Recipient) -> dict[str, Any]:
        """Links that carry this person's values, signed with them."""
        found: dict[str, Any] = {}
        for number in self._personal:
            values = personal.values_for(self._compiled.links[number], recipient.attributes)
            address: object = values
            if isinstance(values, dict):
                content = personal.packed(number, values)
                token = self._tokens.sign(Purpose.LINK, self._campaign_id, _follower(recipient), content.encode())
                address = links.personal_url(self._tracking_url, token, content)
            found[f"{personal.PERSONAL_LINK}{number}"] = address
        return found

    def _values(self, attributes: Mapping[str, object]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        get = attributes.get
        for field, absent in self._fields:
            value = get(field)
            values[field] = absent if value is None or value == "" else value
        return values

    def _to(self, recipient: Recipient, address: str) -> str:
        """The person's name and address; a name that may not stand in a header is left out, it is not worth a mail."""
        first, last = recipient.attributes.get("first_name"), recipient.attributes.get("last_name")
        name = recipient.name or (f"{first} {last}" if first and last else str(first or last or ""))
        try:
            shown = headers.phrase(name) if len(name) <= MAX_NAME else ""
        except headers.HeaderError:
            return address
        return f"{shown} <{address}>" if shown else address

    def _leave(self, url: str) -> str:
        """HTTPS first, then mail (RFC 2369, 3.2; RFC 8058, 3.1)."""
        if not self._leave_by_mail:
            return f"<{url}>"
        return f"<{url}>, <{self._leave_by_mail}{url.rsplit('/', 1)[1]}>"

    def _sealed(self, drafts: list[_Draft], seconds: int) -> list[Message]:
        signatures = [""] * len(drafts)
        if self._seals:
            hashes = [b2a_base64(sha256(draft.body).digest(), newline=False).decode("ascii") for draft in drafts]
            for seal in self._seals:
                digests = [
                    sha256((draft.canonical + seal.canonical(body_hash, seconds)).encode("ascii")).digest()
                    for draft, body_hash in zip(drafts, hashes, strict=True)
                ]
                made = seal.signer.sign_many(digests)
                for n, (body_hash, signature) in enumerate(zip(hashes, made, strict=True)):
                    signatures[n] += seal.header(body_hash, seconds, signature)
        return [
            Message(
                message_id=draft.message_id,
                return_path=draft.return_path,
                recipient=draft.recipient,
                head=(signature + draft.head).encode("ascii"),
                body=draft.body,
            )
            for draft, signature in zip(drafts, signatures, strict=True)
        ]


def _follower(recipient: Recipient) -> int:
    """Whom the pixel and the links of a message name: the person, or nobody."""
    return recipient.subscriber_id if recipient.named else NOBODY
