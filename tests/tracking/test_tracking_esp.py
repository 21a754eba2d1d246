"""Webhooks of mail services: 154 recorded requests, and forged ones."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from outreach.events import Kind
from outreach.tokens import KeyRing, Purpose
from tracking.testing import KEYS
from tracking.webhooks import esp
from tracking.webhooks.esp import EspEvent, Refused, Services, reports

pytest.importorskip("anymail", reason="the extra outreach[esp] is not installed")

NOW = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)
BASIC = "username:password"
TOPIC = "arn:aws:sns:us-east-1:1234567890:SES_Events"
ACCOUNTS: dict[str, dict[str, Any]] = {
    **{name: {"secret": BASIC} for name in esp.VIEWS},
    "mailgun": {"secret": BASIC, "webhook_signing_key": "TEST_WEBHOOK_SIGNING_KEY"},
    "mailersend": {"secret": BASIC, "signing_secret": "TEST_WEBHOOK_SIGNING_SECRET"},
    "test_inbound_secret_is_different": {"secret": BASIC, "signing_secret": "webhook secret"},
    "mandrill": {"secret": BASIC, "webhook_key": "TEST_WEBHOOK_KEY"},
    "unisender_go": {"secret": BASIC, "api_key": "TEST_API_KEY"},
    "postal": {},
}


def recorded(shared: Path) -> list[dict[str, Any]]:
    lines = (shared / "corpora/esp-webhooks/cases.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def service_of(case: dict[str, Any]) -> str:
    return case["path"].removeprefix("http://testserver").split("/")[2]


def headers_of(case: dict[str, Any]) -> dict[str, str]:
    headers = {name.removeprefix("HTTP_").lower().replace("_", "-"): value for name, value in case["headers"].items()}
    headers = {name: value[2:-1] if value.startswith("b'") else value for name, value in headers.items()}
    return {**headers, "content-type": case["content_type"], "host": "testserver"}


def outcome(case: dict[str, Any]) -> list[EspEvent] | int:
    path = case["path"].removeprefix("http://testserver")
    name = case["test"].rpartition(".")[2]
    account = dict(ACCOUNTS.get(name) or ACCOUNTS[service_of(case)])
    headers, body = headers_of(case), case["body"].encode()
    if name.startswith("test_requires_"):
        account = {"secret": BASIC}
    elif name == "test_supports_credential_rotation" and case["status"] == 200:
        account["secret"] = [BASIC, base64.b64decode(headers["authorization"].partition(" ")[2]).decode()]
    if service_of(case) == "postal":
        headers, account = postal(headers, account, body)
    elif name == "test_successful_signature_check_without_http_auth":
        headers, account = sendgrid(headers, body)
    elif name == "test_actual_signed_payload":
        body = unisender(body, account["api_key"])
    try:
        if (
            name == "test_sns_subscription_confirmation_auth_disabled"
        ):  # refused before anymail sees it: a person confirms a topic
            return Services({"amazon_ses": {"topics": [TOPIC]}}).receive(
                "amazon_ses", case["method"], path, headers, body, now=NOW
            )
        if service_of(case) == "resend":
            secret = "whsec_" + base64.b64encode(b"TEST_SIGNING_SECRET").decode()
            at = dt.datetime.fromtimestamp(float(headers.get("svix-timestamp", 0)), dt.UTC)
            esp.verify_svix(headers, body, secret=secret, now=at)
        return esp.translate(service_of(case), case["method"], path, headers, body, account)
    except Refused as refused:
        return refused.status


def postal(headers: dict[str, str], account: dict[str, Any], body: bytes) -> tuple[dict[str, str], dict[str, Any]]:
    """The recording's key was thrown away: signed anew."""
    key = rsa.generate_private_key(65537, 1024)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    signature = base64.b64encode(key.sign(body, padding.PKCS1v15(), hashes.SHA1())).decode()
    plain = "\n".join(public.decode().splitlines()[1:-1])
    return {**headers, "x-postal-signature": signature}, {**account, "webhook_key": plain}


def sendgrid(headers: dict[str, str], body: bytes) -> tuple[dict[str, str], dict[str, Any]]:
    """The same: ECDSA over time and body."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    prefix = "x-twilio-email-event-webhook-"
    signature = key.sign(headers[f"{prefix}timestamp"].encode() + body, ec.ECDSA(hashes.SHA256()))
    plain = "".join(public.decode().splitlines()[1:-1])
    return {**headers, f"{prefix}signature": base64.b64encode(signature).decode()}, {
        "tracking_webhook_verification_key": plain
    }


def unisender(body: bytes, key: str) -> bytes:
    """The same: MD5 over the body with the key in the place of the sum."""
    recorded_sum = json.loads(body)["auth"].encode()
    keyed = hashlib.md5(body.replace(recorded_sum, key.encode()))
    return body.replace(recorded_sum, keyed.hexdigest().encode())


def test_recorded_requests_give_the_expected_events(shared: Path) -> None:
    cases = recorded(shared)
    assert len(cases) == 154
    wrong, right = [], 0
    for case in cases:
        found = outcome(case)
        if case["status"] == 200:
            expected = [
                (e["event_type"], e.get("recipient") or "", e.get("reject_reason") or "") for e in case["events"]
            ]
            got = [(e.type, e.recipient, e.reason) for e in found] if isinstance(found, list) else found
            good = got == expected
        else:
            good = isinstance(found, int) and found >= 400
        right += good
        if not good:
            wrong.append((case["test"], case["status"], found))
    assert wrong == [], "\n".join(map(str, wrong))
    assert right == 154


def notification(key: rsa.RSAPrivateKey, *, version: str = "2", **changes: str) -> bytes:
    message = {
        "Type": "Notification", "MessageId": "m-1", "TopicArn": TOPIC, "Subject": "x", "Timestamp": NOW.isoformat(),
        "Message": json.dumps({"notificationType": "Complaint", "complaint": {
            "complainedRecipients": [{"emailAddress": "ada@example.com"}], "timestamp": "2026-11-21T11:00:00Z"},
            "mail": {"messageId": "ses-1", "timestamp": "2026-11-21T10:00:00Z", "destination": ["ada@example.com"]}}),
    }  # fmt: skip
    text = "".join(f"{name}\n{message[name]}\n" for name in sorted(message)).encode()
    algorithm = hashes.SHA256() if version == "2" else hashes.SHA1()
    url = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123.pem"
    signed = {
        **message, "SignatureVersion": version, "SigningCertURL": url,
        "Signature": base64.b64encode(key.sign(text, padding.PKCS1v15(), algorithm)).decode(), **changes,
    }  # fmt: skip
    return json.dumps(signed).encode()


@pytest.fixture(scope="module")
def amazon() -> tuple[rsa.RSAPrivateKey, bytes]:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(NOW).not_valid_after(NOW + dt.timedelta(days=9))
    return key, made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


HEADERS = {"x-amz-sns-message-type": "Notification", "x-amz-sns-message-id": "m-1", "content-type": "text/plain"}


def ses(certificate: bytes) -> Services:
    return Services({"amazon_ses": {"topics": [TOPIC]}}, certificate=lambda _url: certificate)


def receive(services: Services, body: bytes, now: dt.datetime = NOW) -> list[EspEvent]:
    return services.receive("amazon_ses", "POST", "/hooks/amazon_ses", HEADERS, body, now=now)


@pytest.mark.filterwarnings("ignore::Warning")
@pytest.mark.parametrize("version", ["1", "2"])
def test_what_amazon_signed_is_believed_once(amazon: tuple[rsa.RSAPrivateKey, bytes], version: str) -> None:
    key, certificate = amazon
    services = ses(certificate)
    body = notification(key, version=version)
    assert [(event.type, event.recipient) for event in receive(services, body)] == [("complained", "ada@example.com")]
    assert receive(services, body) == []  # repeated


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"Message": "{}"}, "signature is wrong"),
        ({"TopicArn": "arn:aws:sns:us-east-1:666:evil"}, "not one of ours"),
        ({"SigningCertURL": "https://sns.evil.example/SimpleNotificationService-0123456789abcdef0123.pem"}, "Amazon's"),
        (
            {"SigningCertURL": "http://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123.pem"},
            "A",
        ),
        ({"SigningCertURL": "https://sns.us-east-1.amazonaws.com.evil.example/SimpleNotificationService-0.pem"}, "A"),
        ({"SignatureVersion": "3"}, "no signed message"),
        ({"Signature": "!"}, "no signed message"),
        ({"Type": "Other"}, "no signed message"),
    ],
)
def test_what_amazon_did_not_sign_is_refused(
    amazon: tuple[rsa.RSAPrivateKey, bytes], changes: dict[str, str], why: str
) -> None:
    key, certificate = amazon
    with pytest.raises(Refused, match=why):
        receive(ses(certificate), notification(key, **changes))


def test_old_unsigned_and_doubled_messages_are_refused(amazon: tuple[rsa.RSAPrivateKey, bytes]) -> None:
    key, certificate = amazon
    body = notification(key)
    for bad, now in (
        (body, NOW + dt.timedelta(days=4)), (b"{}", NOW), (b"[" * 100_000, NOW), (b"", NOW),
        (body.replace(b'"Type"', b'"Type": "Notification", "Type"', 1), NOW),
    ):  # fmt: skip
        with pytest.raises(Refused):
            receive(ses(certificate), bad, now)


def mailgun(timestamp: float, *, key: str = "k") -> bytes:
    signed = {"timestamp": str(int(timestamp)), "token": "t" * 50}
    mac = hmac.new(key.encode(), (signed["timestamp"] + signed["token"]).encode(), hashlib.sha256).hexdigest()
    token = KeyRing(KEYS).sign(Purpose.MESSAGE_ID, 1, 7)
    event = {
        "event": "complained", "id": "x", "timestamp": timestamp, "recipient": "ada@example.com",
        "message": {"headers": {"message-id": f"{token}@city.example"}}, "user-variables": {},
    }  # fmt: skip
    return json.dumps({"signature": {**signed, "signature": mac}, "event-data": event}).encode()


def test_an_event_counts_once_while_it_is_new_and_about_mail_of_ours() -> None:
    services = Services({"mailgun": {"webhook_signing_key": "k", "secret": BASIC}})
    basic = "Basic " + base64.b64encode(BASIC.encode()).decode()
    headers = {"content-type": "application/json", "authorization": basic}

    def post(body: bytes, now: dt.datetime) -> list[EspEvent]:
        return services.receive("mailgun", "POST", "/hooks/mailgun", headers, body, now=now)

    stamp = NOW.timestamp()
    [event] = post(mailgun(stamp), NOW)
    assert reports([event], KeyRing(KEYS)) == [(Kind.COMPLAINT, (1, 7), "")]
    assert post(mailgun(stamp), NOW) == []
    assert post(mailgun(stamp - 9 * 86_400), NOW) == []
    with pytest.raises(Refused):
        post(mailgun(stamp, key="other"), NOW)
    assert reports([event._replace(message_id="<somebody@else.example>")], KeyRing(KEYS)) == []
    assert reports([event._replace(type="opened")], KeyRing(KEYS)) == []


def test_an_old_or_forged_svix_signature_is_refused() -> None:
    secret = "whsec_" + base64.b64encode(b"k" * 24).decode()
    signed = b"msg.%d.{}" % NOW.timestamp()
    mac = base64.b64encode(hmac.new(b"k" * 24, signed, hashlib.sha256).digest()).decode()
    headers = {"svix-id": "msg", "svix-timestamp": str(NOW.timestamp()), "svix-signature": f"v1,nonsense v1,{mac}"}
    esp.verify_svix(headers, b"{}", secret=secret, now=NOW)
    for changed, body, now in (
        ({}, b"{ }", NOW), ({"svix-id": "x"}, b"{}", NOW), ({}, b"{}", NOW + dt.timedelta(minutes=6)),
        ({"svix-signature": ""}, b"{}", NOW), ({"svix-timestamp": "x"}, b"{}", NOW),
    ):  # fmt: skip
        with pytest.raises(Refused):
            esp.verify_svix({**headers, **changed}, body, secret=secret, now=now)
    with pytest.raises(Refused):
        esp.verify_svix(headers, b"{}", secret="", now=NOW)


def test_a_service_without_a_secret_is_not_listened_to() -> None:
    with pytest.raises(Refused) as refused:
        Services({"postmark": {}}).receive("postmark", "POST", "/", {}, b"{}", now=NOW)
    assert refused.value.status == 401
    with pytest.raises(Refused) as refused:
        Services({}).receive("postmark", "POST", "/", {}, b"{}", now=NOW)
    assert refused.value.status == 404
