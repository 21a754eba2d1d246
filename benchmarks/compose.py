"""Composing and signing one message, beside the standard library's `email` with dkimpy on the same message.

CPU time of one process, so that other work on the machine disturbs it least; the best of several rounds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

import dkim as dkimpy
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from outreach.rendering import dkim
from outreach.rendering.compose import Composer
from outreach.rendering.layouts import read_layout
from outreach.rendering.message import CompiledMessage, Mailbox, Message, Recipient, Source, compile_message
from outreach.tokens import KeyRing

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
BATCH = 16
"""As many as the pipeline composes and signs together."""
BODY = "\n\n".join(
    [
        'Hello {{ first_name | default("neighbour") }},',
        "sweeping in **district {{ district }}** starts on Monday. Please move your car by eight.",
        *(
            f"## Street {n}\n\n" + "The sweeper comes early in the morning. Please leave both sides free. " * 9
            + f"[See street {n}](https://city.example/streets/{n}?from=mail)"
            for n in range(10)
        ),
        "{% if renter %}\nRenters: your landlord has the schedule, too.\n{% endif %}",
    ]
)  # fmt: skip


def main() -> None:
    """Print microseconds of CPU for each message, and the ratios that matter."""
    rounds = 200 if "--full" in sys.argv else 60
    compiled = compile_message(
        Source(
            subject="Street sweeping in district {{ district }}",
            body=BODY,
            preheader="Please move your car",
            sender=Mailbox("Public Works", "works@city.example"),
            layout=read_layout("newsletter"),
            organisation="City of Example",
            postal_address="1 Main Street, Example 95814",
            topic="Street sweeping",
            place="benchmark",
        ),
        known_fields=["first_name", "district", "renter"],
    )
    pem = dkim.new_key()
    people = [
        Recipient(n, f"p{n}@example.com", {"first_name": f"Ada{n}", "last_name": "Roe", "district": str(n % 9)})
        for n in range(BATCH)
    ]
    signer = dkim.load(pem, domain="city.example", selector="s1")
    unsigned, signed = _composer(compiled, None), _composer(compiled, signer)
    message = unsigned.compose(people[0], now=NOW)
    html, text = _parts(message)
    private = load_pem_private_key(pem, password=None)

    def rsa() -> None:
        for _ in range(BATCH):
            private.sign(b"d" * 32, PKCS1v15(), Prehashed(SHA256()))  # type: ignore[union-attr,call-arg,arg-type]

    measured = _best(
        {
            "compose": lambda: unsigned.compose_many(people, now=NOW),
            "compose and sign": lambda: signed.compose_many(people, now=NOW),
            "RSA-2048 alone": rsa,
            "email.message": lambda: [_email(html, text, person) for person in people[:10]],
            "email.message and dkimpy": lambda: [_dkimpy(_email(html, text, person), pem) for person in people[:3]],
        },
        rounds,
    )
    counts = (BATCH, BATCH, BATCH, 10, 3)
    each = {name: measured[name] / count * 1e6 for name, count in zip(measured, counts, strict=True)}
    print(f"One message of {len(message.data) / 1024:.0f} KB, 11 links; microseconds of CPU, best of {rounds} rounds\n")
    print("| what | CPU, µs | |\n|---|---:|---|")
    bare, peer, both = each["RSA-2048 alone"], each["email.message"], each["email.message and dkimpy"]
    remarks = {
        "compose": f"{peer / each['compose']:.0f} times as fast as email.message",
        "compose and sign": f"{each['compose and sign'] / bare:.2f} of RSA alone; {both / each['compose and sign']:.0f}"
        " times as fast as email.message and dkimpy",
    }
    for name, cost in each.items():
        print(f"| {name} | {cost:,.1f} | {remarks.get(name, '')} |")


def _best(work: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """The least CPU time of each, all taken in turn so that a busy moment strikes all alike."""
    best = dict.fromkeys(work, float("inf"))
    for _ in range(rounds):
        for name, act in work.items():
            begin = time.process_time()
            act()
            best[name] = min(best[name], time.process_time() - begin)
    return best


def _composer(compiled: CompiledMessage, signer: dkim.Signer | None) -> Composer:
    return Composer(
        compiled,
        campaign_id=5,
        tokens=KeyRing({1: b"k" * 32}),
        tracking_url="https://news.city.example",
        domain="city.example",
        list_id="sweeping.city.example",
        feedback_id="5:sweeping:bulk:cityexample",
        unsubscribe_mailbox=None,
        signer=signer,
    )


def _parts(message: Message) -> tuple[str, str]:
    from email import message_from_bytes

    text, html = (
        part.get_payload(decode=True).decode()
        for part in message_from_bytes(message.data).get_payload()  # type: ignore[union-attr]
    )
    return html, text


def _email(html: str, text: str, person: Recipient) -> bytes:
    """The same message as one writes it with the standard library."""
    message = EmailMessage(policy=SMTP)
    message["From"] = "Public Works <works@city.example>"
    message["To"] = f"{person.attributes['first_name']} Roe <{person.address}>"
    message["Subject"] = f"Street sweeping in district {person.attributes['district']}"
    message["Date"] = format_datetime(NOW)
    message["Message-ID"] = f"<{person.subscriber_id}@city.example>"
    message["List-Id"] = "<sweeping.city.example>"
    message["List-Unsubscribe"] = f"<https://news.city.example/u/{'x' * 28}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message["Feedback-ID"] = "5:sweeping:bulk:cityexample"
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message.as_bytes()


def _dkimpy(data: bytes, pem: bytes) -> bytes:
    signature: bytes = dkimpy.sign(data, b"s1", b"city.example", pem, canonicalize=(b"relaxed", b"relaxed"))
    return signature + data
