"""Running the service under uvicorn: uvloop and httptools, no access log, since tokens would be in it."""

from __future__ import annotations

import contextlib
import gc
import signal
import socket
import threading
from collections.abc import Callable

import uvicorn

from outreach.errors import TryAgain
from tracking.app import Tracking
from tracking.fast import IDLE_SECONDS, protocol

GRACE_SECONDS = 10
BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one. Raises TryAgain if the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise TryAgain(
            f"the tracking service cannot listen on {host} port {port} ({error.strerror}); "
            "stop what uses it, or name another with --port"
        ) from None
    return listener


class _Server(uvicorn.Server):
    """uvicorn's, saying when it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()


def serve(app: Tracking, listener: socket.socket, *, ready: Callable[[], object] = lambda: None) -> None:
    """Answer requests until SIGTERM or SIGINT, then finish those under way and close the spool.

    `ready` is called once the first request can be answered.
    """
    config = uvicorn.Config(
        app,
        http=protocol(app.hot),
        proxy_headers=False,  # tracking.recording knows which proxies to believe
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=int(IDLE_SECONDS),
        timeout_graceful_shutdown=GRACE_SECONDS,
        backlog=BACKLOG,
    )
    if threading.current_thread() is threading.main_thread():
        # uvicorn raises the signal again once it has finished; being told to stop is no error.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    # What was imported lives as long as the service; hits live a millisecond: look for garbage among them less often.
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    with contextlib.suppress(KeyboardInterrupt):
        _Server(config, ready).run(sockets=[listener])


def listener_from(descriptor: int) -> socket.socket:
    """The listening socket that another process opened and passed on."""
    return socket.socket(fileno=descriptor)
