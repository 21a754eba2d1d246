"""`outreach notify`: one message to one person, once for each key; from a command or from another program by HTTP."""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click

from outreach.campaigns import lifecycle, notifying
from outreach.campaigns.orders import orders_for
from outreach.cli.workspace import Workspace, open_workspace, print_json
from outreach.errors import ConfigurationError, OutreachError, TryAgain, UsageError
from outreach.store.deliveries import State

MAX_BODY = 64 * 1024
SOCKET_SECONDS = 10.0
STATUS = {2: 400, 4: 403, 6: 409, 75: 503, 78: 500}
"""Our exit codes, as HTTP says them; anything else is 422: understood, and not possible."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.argument("address", required=False)
@click.option("--key", help="Names this message for ever: the same key never sends twice.")
@click.option("--set", "values", multiple=True, metavar="NAME=VALUE", help="A word for this message only; repeatable.")
@click.option("--serve", type=click.IntRange(0, 65535), metavar="PORT", help="Take notifications by HTTP instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
def notify(
    file: Path | None, address: str | None, key: str | None, values: tuple[str, ...], serve: int | None, as_json: bool
) -> None:
    """Send the message in FILE (a campaign file) to ADDRESS, once for each --key.

    \b
    outreach notify campaigns/permit-ready.md ada@mail.example --key permit-4711 --set number=4711
    OUTREACH_NOTIFY_TOKEN=... outreach notify --serve 8500

    The service takes POST /notify with `Authorization: Bearer TOKEN` and a JSON object with file, address, key and
    values, as in {"file": "campaigns/permit-ready.md", "key": "permit-4711", ...}. It listens on this machine only:
    put a proxy with TLS before it.
    """
    workspace = open_workspace()
    if serve is not None:
        _serve(workspace, serve)
        return
    if file is None or address is None or not key:
        raise UsageError("outreach notify needs FILE, ADDRESS and --key; see outreach notify --help")
    pairs = dict(pair.partition("=")[::2] for pair in values)
    document = deliver(workspace, file, address, key=key, values=pairs)
    if as_json:
        print_json(document)
    else:
        click.echo(f"{document['campaign']}: {document['state']}{document['why']}")


def deliver(
    workspace: Workspace,
    file: Path,
    address: str,
    *,
    key: str,
    values: dict[str, str],
    message_class: str = notifying.TRANSACTIONAL,
) -> dict[str, Any]:
    """Make or find the notification, send it if it still waits, and say where it stands."""
    store, settings = workspace.store, workspace.settings
    campaign = notifying.prepare(
        store, settings, file, address, key=key, values=values, now=workspace.now(), message_class=message_class
    )
    orders = orders_for(campaign, settings, token_keys=workspace.token_keys, patience=dt.timedelta(0))
    trouble = ""
    try:
        sent = lifecycle.send(store, settings, campaign, orders=orders, workers=0, progress=None)
    except TryAgain as error:  # it is written down; cron goes on with it
        trouble = f" ({error})"
        sent = lifecycle.standing(store, campaign.id)
    state = next(state for state in State if sent.counts[state])
    return {"campaign": campaign.name, "state": state.word, "why": trouble}


def _serve(workspace: Workspace, port: int) -> None:
    token = os.environ.get("OUTREACH_NOTIFY_TOKEN", "")
    if len(token) < 20:
        raise ConfigurationError(
            "OUTREACH_NOTIFY_TOKEN must hold a secret of at least 20 characters that your programs send; "
            f"a good one: {secrets.token_urlsafe(24)}"
        )
    server = ThreadingHTTPServer(("127.0.0.1", port), _handler(workspace, token))
    server.daemon_threads = True
    click.echo(f"taking notifications at http://127.0.0.1:{server.server_port}/notify", err=True)
    with server:
        server.serve_forever()


def _handler(workspace: Workspace, token: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """POST /notify, and nothing else."""

        timeout = SOCKET_SECONDS

        def do_POST(self) -> None:
            given = self.headers.get("Authorization", "").removeprefix("Bearer ").encode("utf-8", "replace")
            length = self.headers.get("Content-Length", "")
            if self.path != "/notify":
                self._answer(404, {"error": "POST /notify is all there is"})
            elif not secrets.compare_digest(given, token.encode()):
                self._answer(401, {"error": "the token is not ours"})
            elif not length.isdecimal() or int(length) > MAX_BODY:
                self._answer(413, {"error": f"send at most {MAX_BODY} bytes, and say how many"})
            else:
                self._answer(*_taken(workspace, self.rfile.read(int(length))))

        def _answer(self, status: int, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            """Silent: an address must not stand in a log."""

    return Handler


def _taken(workspace: Workspace, body: bytes) -> tuple[int, dict[str, Any]]:
    """The status and answer to one request. The file must lie in the workspace's campaigns folder."""
    try:
        document = json.loads(body)
        asked = {name: str(document[name]) for name in ("file", "address", "key")}
        values = {str(name): str(value) for name, value in dict(document.get("values", {})).items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return 400, {"error": "send a JSON object with file, address, key and, where needed, values"}
    file = (workspace.root / asked["file"]).resolve()
    if not file.is_relative_to((workspace.root / "campaigns").resolve()):
        return 400, {"error": "file must be in campaigns/"}
    try:
        return 200, deliver(workspace, file, asked["address"], key=asked["key"], values=values)
    except OutreachError as error:
        return STATUS.get(error.exit_code, 422), {"error": str(error)}
