"""`outreach init`: a workspace that works as it is."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import click

from outreach.errors import UsageError
from outreach.rendering import dkim
from outreach.settings import FILE, load_settings
from outreach.store import migrations, topics
from outreach.store.database import Store
from outreach.tokens import new_key_line

SETTINGS = """\
# The settings of this workspace. OUTREACH_SECTION_KEY in the environment wins over a line here;
# put passwords there (OUTREACH_RELAY_URL), never into this file. `outreach config show` lists everything.

mode = "{mode}"    # trial: mail goes to staff only, 50 a day, until somebody says `outreach go-live`

[organisation]
name = "{name}"
address = "1 Main Street, 12345 {name}"   # the postal address at the foot of every mail
language = "en"
timezone = "{timezone}"

[relay]
url = "{relay}"        # the mail server that speaks to the world
connections = {connections}

[tracking]
url = "{tracking}"     # the public address of `outreach track`
# individual: who opened and clicked is known person by person, until a person says otherwise on their page. Under the
# GDPR and the ePrivacy Directive that needs their consent in the EU; aggregate needs it less, none not at all.
default = "individual"

[mail]
domain = "{domain}"    # signs the mail and receives its bounces
{policy}"""

FIRST_TOPIC = "City news"
WELCOME = """\
---
subject: Welcome{{% if first_name %}}, {{{{ first_name }}}}{{% endif %}}
to: everyone
topic: {topic}
from: {name} <news@{domain}>
preheader: What you can hear from us, and how to choose
---
Hello {{{{ first_name | default("neighbour") }}}},

thank you for subscribing to **{topic}**. You will hear from us about once a month.

**[See what the city is working on](https://{domain}/news)**

You can leave with one click, at the foot of every mail.
"""

SEGMENT = """\
# People in district 3 whose language is Spanish. Try: outreach segments count district-3-spanish
district is "3" and language is "es"
"""

IGNORED = "data/\nkeys/\n"


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", default="City of Example", show_default=True, help="The organisation's name.")
@click.option("--domain", default="city.example", show_default=True, help="The domain that mail comes from.")
def init(folder: Path, name: str, domain: str) -> None:
    """Make a workspace in FOLDER: settings, keys, a first campaign, an empty database."""
    make_workspace(folder, name=name, domain=domain, mode="trial")
    _first_topic(folder)
    click.echo(
        f"{folder} is ready.\n\n"
        f"  cd {folder}\n"
        "  outreach subscribers import FILE.csv --topic 'City news' --source 'where they asked'\n"
        "                                               bring people in\n"
        "  outreach segments count 'topic is \"City news\"'   how many would a rule reach?\n"
        "  outreach campaigns new                       six questions, one text file\n"
        "  outreach templates preview campaigns/welcome.md --serve\n"
        "                                               see what people would get\n"
        "  outreach campaigns check campaigns/welcome.md\n\n"
        "It is in trial mode: mail goes to staff only (outreach users add), until you say: outreach go-live\n\n"
        f"Before the first real mail: set the relay in {FILE}, and publish this DNS record:\n\n"
        f'  outreach._domainkey.{domain}. TXT "{dkim.dns_record((folder / "keys" / "dkim.pem").read_bytes())}"'
    )


def _first_topic(folder: Path) -> None:
    """What the first campaign is about, so that it can be looked at before anybody is brought in."""
    store = Store.open(load_settings(folder).database_url)
    with store.write() as connection:
        topics.ensure(connection, [FIRST_TOPIC])
    store.close()


def make_workspace(
    folder: Path,
    *,
    name: str,
    domain: str,
    timezone: str = "UTC",
    relay: str = "smtp://127.0.0.1:25",
    tracking: str = "http://127.0.0.1:8400",
    connections: int = 10,
    policy: str = "",
    mode: str = "live",
) -> None:
    """Write everything a new workspace needs. Refuses (UsageError) a folder that already is one."""
    if (folder / FILE).exists():
        raise UsageError(f"{folder} already is a workspace; nothing was changed")
    for part in ("senders", "topics", "segments", "templates", "images", "campaigns", "data", "keys"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    values = {"name": name, "domain": domain, "timezone": timezone, "relay": relay, "tracking": tracking, "mode": mode}
    files = {
        "campaigns/welcome.md": WELCOME.format(name=name, domain=domain, topic=FIRST_TOPIC),
        "segments/district-3-spanish.segment": SEGMENT,
        ".gitignore": IGNORED,
    }
    for path, text in files.items():
        (folder / path).write_text(text, "utf-8")
    _write_secret(folder / "keys" / "tokens", new_key_line(1).encode("ascii"))
    _write_secret(folder / "keys" / "dkim.pem", dkim.new_key())
    _write_secret(folder / "keys" / "webhook", secrets.token_hex(32).encode("ascii"))
    # Last, so that a folder with settings in it is a whole workspace.
    (folder / FILE).write_text(SETTINGS.format(**values, connections=connections, policy=policy), "utf-8")
    store = Store.open(load_settings(folder).database_url)
    migrations.upgrade(store)
    store.close()


def _write_secret(path: Path, content: bytes) -> None:
    """A file only its owner can read; one that exists already is kept, for old mail depends on it."""
    try:
        handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "wb") as file:
        file.write(content)
