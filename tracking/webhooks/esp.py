"""What mail services report: bounces, complaints and unsubscribes of mail that went through them, by django-anymail.

The extra `outreach[esp]`; imported only when the first such request comes. anymail verifies what each
service signs and translates its words. What it leaves to its users is done here and in `sns`: Amazon's
signature, a window against old requests, each event once, and no effect but to suppress.

An event is taken only if it carries a token of ours: in the metadata `outreach` that our mail was
sent with, or in the Message-ID. Nobody is suppressed for an address that somebody wrote into a request.
"""

from __future__ import annotations

import base64
import datetime as dt
import hmac
import importlib
import json
import re
import tomllib
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from outreach.errors import ConfigurationError, OutreachError
from outreach.events import Kind
from outreach.tokens import KeyRing, Purpose, Subject
from tracking.webhooks import sns

MAX_BODY = 2 * 1024 * 1024
WINDOW = dt.timedelta(days=7)
"""Services repeat a request for up to three days; what is older is somebody else's recording."""
REMEMBERED = 20_000
VIEWS = {
    "amazon_ses": ("amazon_ses", "AmazonSESTrackingWebhookView"),
    "brevo": ("brevo", "BrevoTrackingWebhookView"),
    "mailersend": ("mailersend", "MailerSendTrackingWebhookView"),
    "mailgun": ("mailgun", "MailgunTrackingWebhookView"),
    "mailjet": ("mailjet", "MailjetTrackingWebhookView"),
    "mailtrap": ("mailtrap", "MailtrapTrackingWebhookView"),
    "mandrill": ("mandrill", "MandrillCombinedWebhookView"),
    "postal": ("postal", "PostalTrackingWebhookView"),
    "postmark": ("postmark", "PostmarkTrackingWebhookView"),
    "resend": ("resend", "ResendTrackingWebhookView"),
    "sendgrid": ("sendgrid", "SendGridTrackingWebhookView"),
    "sparkpost": ("sparkpost", "SparkPostTrackingWebhookView"),
    "unisender_go": ("unisender_go", "UnisenderGoTrackingWebhookView"),
}
_SIGNED = frozenset(("mailersend", "mailgun", "mandrill", "postal", "resend", "unisender_go"))
"""Services whose requests carry a signature that anymail, or we, insist on."""
SVIX_SECONDS = 300
_KINDS = {"complained": Kind.COMPLAINT, "bounced": Kind.BOUNCE, "unsubscribed": Kind.UNSUBSCRIBE}
_TOKEN = re.compile(r"[\w-]{28}(?=@|\Z)")


class Refused(OutreachError):
    """The request is not what that service would send; `status` says so to whoever sent it."""

    def __init__(self, message: str, *, status: int = 400) -> None:
        self.status = status
        super().__init__(message)


class EspEvent(NamedTuple):
    """One event as the service told it, in anymail's words."""

    type: str
    recipient: str
    message_id: str
    at: dt.datetime | None
    reason: str
    reply: str
    metadata: Mapping[str, Any]


class Report(NamedTuple):
    """What an event means for us."""

    kind: Kind
    subject: Subject
    detail: str


@dataclass(slots=True)
class Services:
    """The services that a city uses, and what was heard from them lately.

    `accounts` maps a service to its settings: `secret` ("user:password" of basic authentication), the
    signing keys under anymail's names, and for Amazon the `topics` that may speak to us.
    """

    accounts: Mapping[str, Mapping[str, Any]]
    certificate: Callable[[str], bytes] = sns.certificate
    _heard: OrderedDict[bytes, None] = field(default_factory=OrderedDict)

    def receive(
        self, service: str, method: str, path: str, headers: Mapping[str, str], body: bytes, *, now: dt.datetime
    ) -> list[EspEvent]:
        """The new events of one request, verified. Raises Refused."""
        account = self.accounts.get(service)
        if account is None or service not in VIEWS:
            raise Refused("no such service is set up here", status=404)
        if service == "amazon_ses" and method == "POST":
            sns.verify(body, topics=tuple(account.get("topics", ())), now=now, certificate=self.certificate)
        elif service == "resend":
            verify_svix(headers, body, secret=str(account.get("signing_secret", "")), now=now)
        elif service not in _SIGNED and not account.get("secret"):
            raise Refused("this service has no secret set up here", status=401)
        found = translate(service, method, path, headers, body, account)
        return [event for event in found if self._is_new(service, event, now)]

    def forget(self, service: str, events: list[EspEvent]) -> None:
        """These could not be recorded: they are new when they come again."""
        for event in events:
            self._heard.pop(_key(service, event), None)

    def _is_new(self, service: str, event: EspEvent, now: dt.datetime) -> bool:
        if event.at is not None and abs(now - event.at) > WINDOW:
            return False
        key = _key(service, event)
        if key in self._heard:
            return False
        self._heard[key] = None
        if len(self._heard) > REMEMBERED:
            self._heard.popitem(last=False)
        return True


def _key(service: str, event: EspEvent) -> bytes:
    """Our own: some services number their events anew with each request, or not at all."""
    parts = (service, event.message_id, event.recipient, event.type, str(event.at))
    return blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=16).digest()


def load_accounts(path: Path) -> dict[str, dict[str, Any]]:
    """The services in keys/esp.toml; none if there is no such file."""
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from None
    if unknown := sorted(set(found) - set(VIEWS)):
        raise ConfigurationError(f"{path} names {', '.join(unknown)}; there are {', '.join(VIEWS)}")
    return found


def reports(events: list[EspEvent], keys: KeyRing) -> list[Report]:
    """The events that bind us and are about mail of ours."""
    found = []
    for event in events:
        kind = _KINDS.get(event.type)
        subject = _subject(event, keys)
        if kind is not None and subject is not None:
            found.append(Report(kind, subject, _detail(kind, event)))
    return found


def _subject(event: EspEvent, keys: KeyRing) -> Subject | None:
    for text in (str(event.metadata.get("outreach", "")), event.message_id.strip("<>")):
        if (found := _TOKEN.match(text)) and (subject := keys.reader(Purpose.MESSAGE_ID)(found[0].encode("ascii"))):
            return subject
    return None


def _detail(kind: Kind, event: EspEvent) -> str:
    if kind is not Kind.BOUNCE:
        return ""
    # Only the service's word for a dead address is hard; a block or a full mailbox says nothing about the person.
    return json.dumps({"hard": event.reason == "bounced", "reply": event.reply[:300], "via": "esp"})


def translate(
    service: str, method: str, path: str, headers: Mapping[str, str], body: bytes, account: Mapping[str, Any]
) -> list[EspEvent]:
    """anymail's reading of one request. Raises Refused."""
    django = _django()
    module, name = VIEWS[service]
    view = getattr(importlib.import_module(f"anymail.webhooks.{module}"), name)
    heard: list[EspEvent] = []
    ours = {"secret", "topics", "sending", *(("signing_secret",) if service == "resend" else ())}
    options = {key: value for key, value in account.items() if key not in ours}
    secret = account.get("secret") or []
    try:
        if service == "amazon_ses":
            options["auto_confirm_sns_subscriptions"] = False  # a request shall not make us send one
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", django.warning)  # to developers, not to whoever runs us
            made = _collecting(view, heard)(webhook_secret=secret, **options)
        answer = made.dispatch(django.request(method, path, headers, body))
    except django.refused as error:
        raise Refused(_plain(error)) from None
    except django.wrong as error:
        raise Refused(_plain(error), status=500) from None
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
        raise Refused(f"the request cannot be read ({type(error).__name__})") from None
    if answer.status_code >= 400:
        raise Refused("the service's request was not accepted", status=answer.status_code)
    return heard


def verify_svix(headers: Mapping[str, str], body: bytes, *, secret: str, now: dt.datetime) -> None:
    """The signature of Resend (and of others that use Svix): HMAC-SHA256 over id, time and body. Raises Refused."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        stamp = int(float(headers.get("svix-timestamp", "")))
    except ValueError:
        raise Refused("the signature is missing", status=400) from None
    if not key or abs(now.timestamp() - stamp) > SVIX_SECONDS:
        raise Refused("the request is too old, or no signing secret is set up", status=400)
    signed = f"{headers.get('svix-id', '')}.{stamp}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, sha256).digest()).decode("ascii")
    given = headers.get("svix-signature", "").split()
    if not any(hmac.compare_digest(f"v1,{expected}".encode(), one.encode("latin-1", "replace")) for one in given):
        raise Refused("the signature is wrong", status=400)


def _plain(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]


def _collecting(view: type, heard: list[EspEvent]) -> type:
    """The view with a collector for its signal, which some views set themselves for each event."""
    collector = _Collector(heard)
    return type(view.__name__, (view,), {"signal": property(lambda _self: collector, lambda _self, _value: None)})


class _Collector:
    """Stands where anymail sends its signals."""

    def __init__(self, heard: list[EspEvent]) -> None:
        self._heard = heard

    def send(self, *, event: Any, **_: object) -> None:
        self._heard.append(
            EspEvent(
                type=str(event.event_type),
                recipient=str(event.recipient or ""),
                message_id=str(event.message_id or ""),
                at=event.timestamp,
                reason=str(event.reject_reason or ""),
                reply=str(event.mta_response or event.description or ""),
                metadata=event.metadata or {},
            )
        )


@dataclass(frozen=True, slots=True)
class _Django:
    request: Callable[[str, str, Mapping[str, str], bytes], Any]
    refused: type[Exception]
    wrong: tuple[type[Exception], ...]
    warning: type[Warning]


def _django() -> _Django:
    """Django, without a project: anymail's views need its requests and nothing else."""
    try:
        from anymail.exceptions import AnymailError, AnymailWarning, AnymailWebhookValidationFailure
        from django.conf import settings
        from django.core.exceptions import ImproperlyConfigured
        from django.core.handlers.wsgi import WSGIRequest
    except ImportError:
        raise ConfigurationError("webhooks of mail services need django-anymail: pip install 'outreach[esp]'") from None
    if not settings.configured:
        settings.configure(USE_TZ=True, ALLOWED_HOSTS=["*"], DATA_UPLOAD_MAX_MEMORY_SIZE=MAX_BODY)

    def request(method: str, path: str, headers: Mapping[str, str], body: bytes) -> Any:
        environment = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path.partition("?")[0],
            "QUERY_STRING": path.partition("?")[2],
            "SERVER_NAME": headers.get("host", "localhost"),
            "SERVER_PORT": "80",
            "wsgi.url_scheme": headers.get("x-forwarded-proto", "http"),
            "wsgi.input": BytesIO(body),
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": headers.get("content-type", ""),
        }
        for name, value in headers.items():
            if name not in ("content-type", "content-length"):
                environment["HTTP_" + name.upper().replace("-", "_")] = value
        return WSGIRequest(environment)

    return _Django(request, AnymailWebhookValidationFailure, (AnymailError, ImproperlyConfigured), AnymailWarning)
