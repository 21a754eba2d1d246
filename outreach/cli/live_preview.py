"""`templates preview --serve`: a page on this machine that shows a campaign while it is being written.

Only this machine can reach it. The page asks every second whether a file has changed; what does not compile is shown
as the sentence it would end with.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import click

from outreach.campaigns.previewing import Preview, previews
from outreach.cli.workspace import Workspace
from outreach.errors import OutreachError

HOST: Final = "127.0.0.1"
_PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body{{margin:0;font:16px/1.5 system-ui,sans-serif;background:#dfe4e8;color:#1c2733}}
main{{display:flex;flex-wrap:wrap;gap:24px;padding:24px}}section{{background:#fff;border-radius:8px;padding:16px}}
h1{{font-size:18px;margin:0 0 4px}}p{{margin:0 0 12px;color:#4a5866}}iframe{{border:1px solid #cbd3da;height:70vh}}
pre{{white-space:pre-wrap;max-width:90vw}}</style>
<main>{body}</main>
<script>let seen;setInterval(async()=>{{const now=await(await fetch("/version")).text();
if(seen&&seen!==now)location.reload();seen=now}},1000)</script></html>"""


def made_previews(workspace: Workspace, campaign: Path, *, address: str | None) -> list[Preview]:
    """What each sample person would get, or the person who has that address."""
    return list(
        previews(
            workspace.store,
            workspace.settings,
            campaign,
            address=address,
            token_keys=workspace.token_keys,
            now=workspace.now(),
        )
    )


def serve_previews(workspace: Workspace, campaign: Path, *, address: str | None, port: int) -> None:
    """Serve until Ctrl-C."""
    with live_server(workspace, campaign, address=address, port=port) as server:
        click.echo(f"http://{HOST}:{server.server_address[1]}/  (Ctrl-C ends it)")
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            click.echo("")


def live_server(workspace: Workspace, campaign: Path, *, address: str | None, port: int) -> ThreadingHTTPServer:
    """The server, not started; port 0 chooses a free one."""

    def made() -> list[Preview]:
        return made_previews(workspace, campaign, address=address)

    def version() -> str:
        files = [*campaign.parent.glob(f"{campaign.stem}*.md"), *workspace.root.glob("senders/*.toml")]
        files += [each for part in ("templates", "images") for each in workspace.root.glob(f"{part}/**/*.*")]
        return hashlib.sha256(
            json.dumps([(str(file), file.stat().st_mtime_ns) for file in sorted(files)]).encode()
        ).hexdigest()[:16]

    return ThreadingHTTPServer((HOST, port), _handler(campaign, made, version))


def _handler(
    campaign: Path, made: Callable[[], list[Preview]], version: Callable[[], str]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # A page of another site, by a name it points at us, shall not read it.
            if (self.headers.get("Host") or "").rpartition(":")[0] not in (HOST, "localhost"):
                self.send_error(421)
            elif self.path == "/version":
                self._answer(version(), "text/plain")
            elif self.path.startswith("/message/"):
                wanted = unquote(self.path.removeprefix("/message/"))
                found = next((each for each in made() if each.name == wanted), None)
                self._answer(found.html if found else "gone", "text/html")
            else:
                self._answer(_PAGE.format(title=escape(campaign.name), body=self._body()), "text/html")

        def _body(self) -> str:
            try:
                return "".join(map(_section, made()))
            except OutreachError as error:
                return f"<section><h1>This cannot be sent yet</h1><pre>{escape(str(error))}</pre></section>"

        def _answer(self, text: str, kind: str) -> None:
            body = text.encode()
            self.send_response(200)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: the terminal is the author's."""

    return Handler


def _section(preview: Preview) -> str:
    address = escape(preview.name)
    name = f"{address} ({escape(preview.note)})" if preview.note else address
    if preview.error:
        return f"<section><h1>{name}</h1><pre>{escape(preview.error)}</pre></section>"
    frames = "".join(
        f'<iframe title="{name}, {width} pixels" src="/message/{address}" width="{width}" sandbox></iframe> '
        for width in (360, 640)
    )
    return f"<section><h1>{escape(preview.subject)}</h1><p>{name}</p>{frames}</section>"
