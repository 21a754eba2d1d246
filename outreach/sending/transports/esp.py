"""Handing over to a mail service by its HTTP interface, through django-anymail (the extra `outreach[esp]`).

One call for each message, from a thread for each lane. The service composes and signs anew from our subject, headers,
two parts and an invitation; our key in the call's metadata comes back with its webhooks. What an answer means:

    no connection yet                  not sent; try again
    2xx, and the service has it        accepted
    2xx, and the address is not valid  refused, about the recipient
    429                                not now; nobody goes through this service before its Retry-After has passed
    another 4xx                        refused, about us or the message
    anything else                      unknown: 5xx, a cut, silence, an answer that cannot be read

Only certainty is believed: once the request has begun to leave, a service that fails may have taken the message.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import email
import email.policy
import importlib
import ssl
import tomllib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from email.encoders import encode_base64
from email.message import EmailMessage
from email.mime.base import MIMEBase
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final

from outreach.errors import ConfigurationError
from outreach.rendering.message import Message
from outreach.sending.outcomes import Accepted, Deferred, Outcome, Refused, Unknown, Unsent, Verb
from outreach.sending.transports import OneByOne

SCHEME: Final = "esp:"
ACCOUNTS: Final = "keys/esp.toml"
SERVICES: Final = (
    "brevo", "mailersend", "mailgun", "mailjet", "mailtrap", "mandrill", "postal", "postmark", "resend",
    "sendgrid", "sparkpost", "unisender_go",
)  # fmt: skip
CONNECT_TIMEOUT, ANSWER_TIMEOUT = 10.0, 120.0
"""Seconds. Who gives up on an answer too early has one more person in doubt."""
REST, LONGEST_REST = dt.timedelta(seconds=30), dt.timedelta(hours=1)
"""After a 429 that does not say how long; and the most that is believed of one that does."""
OUR_KEY = "outreach"
"""In the metadata of each call; see tracking's webhooks."""

_NOT_PASSED_ON = frozenset((
    "from", "to", "subject", "reply-to", "date", "mime-version", "content-type", "content-transfer-encoding",
    "dkim-signature",
))  # fmt: skip
"""Headers that have a field of their own in the call, or that only the service can write rightly."""


class EspTransport:
    """Lanes to one mail service. `options` are anymail's own for it, without prefix: `api_key`, `server_token` …"""

    def __init__(self, service: str, options: Mapping[str, Any]) -> None:
        self.service = service
        self._options = options
        self._backend()  # so that a mistake is told before anything is claimed

    @classmethod
    def load(cls, service: str, workspace: Path) -> EspTransport:
        """The service of that name, with `[NAME.sending]` of the workspace's keys/esp.toml."""
        if service not in SERVICES:
            raise ConfigurationError(
                f"relay.url names the mail service {service!r}; there are {', '.join(SERVICES)}. Any other has an SMTP "
                "address: smtps://user:password@host:465"
            )
        path = workspace / ACCOUNTS
        try:
            options = tomllib.loads(path.read_text("utf-8")).get(service, {}).get("sending")
        except OSError as error:
            raise ConfigurationError(f"{path} cannot be read ({error.strerror}); {_how(service)}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, AttributeError) as error:
            raise ConfigurationError(f"{path} cannot be read: {error}") from None
        if not isinstance(options, dict):
            raise ConfigurationError(f"{path} has no section [{service}.sending]; {_how(service)}")
        return cls(service, options)

    async def open(self) -> EspLane:
        return EspLane(self.service, self._backend())

    def _backend(self) -> Any:
        try:
            from anymail.exceptions import AnymailConfigurationError
            from django.conf import settings
        except ImportError:
            raise ConfigurationError("mail services need django-anymail: pip install 'outreach[esp]'") from None
        if not settings.configured:  # Django without a project; all that anymail asks of it are its defaults
            settings.configure(USE_TZ=True, ALLOWED_HOSTS=["*"])
        module = importlib.import_module(f"anymail.backends.{self.service}")
        try:
            return module.EmailBackend(
                **{"timeout": (CONNECT_TIMEOUT, ANSWER_TIMEOUT)}
                | dict(self._options)
                | {"ignore_recipient_status": True}
            )
        except (AnymailConfigurationError, TypeError) as error:
            raise ConfigurationError(
                f"the mail service {self.service} is not set up: {_first_line(error)}; {_how(self.service)}"
            ) from None


class EspLane(OneByOne):
    """One session with the service, in a thread of its own."""

    is_open = True

    def __init__(self, service: str, backend: Any) -> None:
        super().__init__()
        self._service, self._backend = service, backend
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"esp-{service}")

    async def hand_over(self, message: Message, *, before_dot: Callable[[], bool]) -> Outcome:
        if not before_dot():
            return Unsent("stopped before it left")
        outcome = await asyncio.get_running_loop().run_in_executor(self._thread, self._call, message)
        self.is_open = not isinstance(outcome, Unsent | Unknown)
        return outcome

    async def close(self) -> None:
        self.is_open = False
        self._thread.submit(self._backend.close)
        self._thread.shutdown(wait=False)

    # In the lane's own thread

    def _call(self, message: Message) -> Outcome:
        from anymail.exceptions import AnymailError, AnymailRequestsAPIError

        try:
            made = _for_django(message)
        except Exception as error:  # one message that cannot be read anew stops nobody else's
            return Refused(f"554 5.6.0 (ours) {self._service}: {type(error).__name__}", Verb.MAIL)
        try:
            if self._backend.open():
                self._backend.session.max_redirects = 0  # the same request a second time is a second message
            self._backend._send(made)
        except AnymailRequestsAPIError as error:
            if error.response is not None:
                return self._not_taken(error.response)
            words = f"{self._service}: {type(error.__cause__ or error).__name__}"
            return Unsent(words) if _never_connected(error) else Unknown(words)
        except AnymailError as error:  # raised before the request is made: this service cannot be asked so
            return Refused(f"554 5.6.0 (ours) {self._service}: {_first_line(error)}", Verb.MAIL)
        except Exception as error:
            return Unknown(f"{self._service}: {type(error).__name__}: {_first_line(error)}")
        return self._answered(made)

    def _answered(self, made: Any) -> Outcome:
        """What an answer that anymail understood says about our one recipient."""
        status = next(iter(made.anymail_status.recipients.values()), None)
        word = status.status if status is not None else "silent"
        said = f"{self._service}: {word} {status.message_id or '' if status is not None else ''}".strip()
        match word:
            case "sent" | "queued":
                return Accepted(f"250 2.0.0 {said}")
            case "invalid":
                return Refused(f"553 5.1.3 {said}", Verb.RCPT)
            case "rejected":  # on the service's own list of addresses that it does not write to
                return Refused(f"550 5.2.1 {said}", Verb.RCPT)
            case "failed":
                return Deferred(f"451 4.3.0 {said}", Verb.DOT)
        return self._not_taken(made.anymail_status.esp_response)

    def _not_taken(self, response: Any) -> Outcome:
        """What an answer other than 2xx means, or a 2xx with nonsense in it."""
        status: int = response.status_code
        said = f"{self._service} answered {status} {_words(response)}".strip()
        if status == 429:
            after = _retry_after(response.headers.get("Retry-After"), now=dt.datetime.now(dt.UTC))
            return Deferred(f"451 4.7.0 {said}", Verb.MAIL, retry_after=after)
        if status in (401, 403):
            return Refused(f"535 5.7.8 {said}", Verb.MAIL)
        if 400 <= status < 500 and status != 408:  # RFC 9110, section 15.5.9: the request may have been cut off
            return Refused(f"554 5.6.0 {said}", Verb.MAIL)
        return Unknown(said)


def _for_django(message: Message) -> Any:
    """The same message as anymail wants it."""
    from django.core.mail import EmailMultiAlternatives

    parsed = email.message_from_bytes(message.data, _class=EmailMessage, policy=email.policy.default)
    text, html = parsed.get_body(("plain",)), parsed.get_body(("html",))
    made = EmailMultiAlternatives(
        subject=str(parsed["subject"] or ""),
        body=text.get_content() if text is not None else "",
        from_email=str(parsed["from"] or ""),
        to=[message.recipient],
        reply_to=[str(each) for each in parsed.get_all("reply-to", [])],
        headers={name: str(value) for name, value in parsed.items() if name.lower() not in _NOT_PASSED_ON},
    )
    if html is not None:
        made.attach_alternative(html.get_content(), "text/html")
    made.attachments += map(_attachment, parsed.iter_attachments())
    made.metadata = {OUR_KEY: message.message_id.strip("<>").partition("@")[0]}
    return made


def _attachment(part: EmailMessage) -> MIMEBase:
    """An invitation to a date stays one by its type's parameters (RFC 6047, 2.4): `method=PUBLISH`."""
    made = MIMEBase(part.get_content_maintype(), part.get_content_subtype(), **dict(part["Content-Type"].params))
    made.set_payload(part.get_payload(decode=True))
    encode_base64(made)
    made.add_header("Content-Disposition", "attachment", filename=part.get_filename())
    return made


def _never_connected(error: BaseException | None) -> bool:
    """True if it is certain that no request left: requests wraps what happened in several layers."""
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    while error is not None:
        if isinstance(error, NewConnectionError | ConnectTimeoutError | ssl.SSLCertVerificationError):
            return True
        inner = error.args[0] if error.args and isinstance(error.args[0], BaseException) else None
        error = error.__cause__ or inner or error.__context__
    return False


def _retry_after(text: str | None, *, now: dt.datetime) -> dt.timedelta:
    """RFC 9110, section 10.2.3: seconds or a date."""
    try:
        seconds = int(text or "")
    except ValueError:
        try:
            seconds = int((parsedate_to_datetime(text or "") - now).total_seconds())
        except (ValueError, TypeError):
            return REST
    return dt.timedelta(seconds=min(max(seconds, 0), LONGEST_REST.total_seconds()))


def _words(response: Any) -> str:
    """The service's own words for people, where they can be told from the rest."""
    try:
        found = response.json()
    except ValueError:
        return ""
    if not isinstance(found, dict):
        return ""
    words = next((found[key] for key in ("Message", "message", "error") if isinstance(found.get(key), str)), "")
    return " ".join(words.split())[:200]


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:200]


def _how(service: str) -> str:
    return f"write its key there under [{service}.sending] (docs/sending.md), mode 0600. Nothing was sent"
