"""A local page that shows the live picture and asks for things: `smd watch --serve`.

It listens on this machine only, and answers to this machine's names only, so that no page from
elsewhere reads the pictures or presses the buttons. Whoever looks on is served by a thread of its
own, which takes the newest picture from the board when it can send it: nobody is waited for.
"""

from __future__ import annotations

import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from selectors import EVENT_READ, DefaultSelector
from socketserver import TCPServer
from types import TracebackType
from typing import Any
from urllib.parse import quote

from smd_cli.errors import UsageError
from smd_cli.watch.board import Board, Command
from smd_cli.watch.site import BOUNDARY, Latest, Site

PORT = 8000
PORTS_TRIED = 100

CONNECTIONS = 64
"""How many connections are served at a time, where the system lets so many files be open."""

ACCEPT_S = 0.05
"""How often the server stops waiting for a new client, to see whether it is to end."""

IDLE_S = 60.0
"""How long a connection may be silent before its next request."""

SHORT_S = 0.5
"""How long the server waits where the system has no connection to give."""

TELL_S = 60.0
"""How often it is told that the page could not answer."""

GOODBYE_S = 2.0
"""How long leaving waits for the threads: one may be encoding a large picture."""

_SAFE = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_OURS = re.compile(r"(127\.0\.0\.1|localhost)(:[0-9]{1,5})?", re.IGNORECASE)
_BUTTONS = {f"/{c.value}": c for c in (Command.PLAY, Command.STEP, Command.SEED, Command.KEEP)}


class _Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_S
    disable_nagle_algorithm = True
    server: _Server

    def _serve(self) -> None:
        """Answer one request."""
        if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            self.close_connection = True  # nothing here takes a body: it is not read
        path = self.path.partition("?")[0]
        pages = self._pages()
        if not self._host():
            self._refuse(HTTPStatus.FORBIDDEN, "this page is for 127.0.0.1 and localhost only")
        elif path in _BUTTONS:
            self._press(_BUTTONS[path])
        elif path not in pages:
            self._refuse(HTTPStatus.NOT_FOUND, "there is nothing here")
        elif self.command not in ("GET", "HEAD"):
            self._wrong_method("GET, HEAD")
        else:
            pages[path]()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _serve  # noqa: N815

    def _pages(self) -> dict[str, Callable[[], None]]:
        site = self.server.site
        return {
            "/": lambda: self._answer(HTTPStatus.OK, "text/html; charset=utf-8", site.page),
            "/live.mjpg": self._live,
            "/events": lambda: self._stream("text/event-stream", site.events()),
            "/picture.png": self._picture,
            "/overlay.png": lambda: self._image(site.overlay),
            "/outlines.png": lambda: self._image(site.outlines),
        }

    def _host(self) -> str | None:
        """The name by which we were called; None where it is not ours (DNS rebinding)."""
        hosts = self.headers.get_all("Host", [])
        return hosts[0] if len(hosts) == 1 and _OURS.fullmatch(hosts[0]) else None

    def _from_us(self) -> bool:
        """Whether our own page sent the request."""
        origins = self.headers.get_all("Origin", [])
        if not origins:
            return self.headers.get("Sec-Fetch-Site") == "same-origin"
        return origins == [f"http://{self._host()}"]

    def _press(self, command: Command) -> None:
        if self.command != "POST":
            self._wrong_method("POST")
        elif not self._from_us():
            self._refuse(HTTPStatus.FORBIDDEN, "only the page itself may press its buttons")
        else:
            self.server.site.board.ask(command)
            self.send_response(HTTPStatus.NO_CONTENT)
            self.end_headers()

    def _picture(self) -> None:
        """The newest picture, under a name that says what it shows when it is saved."""
        _, saved = self.server.site.png.get()
        if saved is None:
            self._refuse(HTTPStatus.NOT_FOUND, "there is no picture yet")
        else:
            name = f"inline; filename*=UTF-8''{quote(saved.name, safe='')}"
            kind = "image/png"
            self._answer(HTTPStatus.OK, kind, saved.data, **{"Content-Disposition": name})

    def _image(self, latest: Latest[Any, bytes]) -> None:
        _, image = latest.get()
        if image is None:
            self._refuse(HTTPStatus.NOT_FOUND, "there is no picture yet")
        else:
            self._answer(HTTPStatus.OK, "image/png", image)

    def _live(self) -> None:
        # What is on its way cannot be replaced by a newer picture: let that be little.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        self._stream(f"multipart/x-mixed-replace; boundary={BOUNDARY}", self.server.site.frames())

    def _stream(self, content_type: str, parts: Iterator[bytes]) -> None:
        """Send parts until the client goes or the server closes; b"" is but a moment to look."""
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", content_type)
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command == "HEAD":
            return
        self.connection.settimeout(None)
        with DefaultSelector() as client:
            client.register(self.connection, EVENT_READ)
            for part in parts:
                self.wfile.write(part)
                if self.server.closing.is_set() or client.select(0):
                    return

    def _wrong_method(self, allowed: str) -> None:
        self._refuse(HTTPStatus.METHOD_NOT_ALLOWED, f"use {allowed} here", Allow=allowed)

    def _refuse(self, status: HTTPStatus, sentence: str, **headers: str) -> None:
        self._answer(status, "text/plain; charset=utf-8", f"{sentence}\n".encode(), **headers)

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is no proper request, without repeating any of it."""
        del message, explain
        self.close_connection = True
        self._refuse(HTTPStatus(code), HTTPStatus(code).phrase)

    def end_headers(self) -> None:
        """End the headers with those that every answer has."""
        for name, value in _SAFE.items():
            self.send_header(name, value)
        self.send_header("Content-Security-Policy", self.server.site.policy)
        super().end_headers()

    def version_string(self) -> str:
        """Who answers."""
        return "smd"

    def log_message(self, *args: Any) -> None:
        """Say nothing: the terminal shows other things."""


class _Server(HTTPServer):
    """Serves every connection in a thread of its own, and can end them all."""

    allow_reuse_address = os.name != "nt"  # there, it would share a port that is taken
    request_queue_size = 32

    def __init__(self, port: int, site: Site, say: Callable[[str], None]) -> None:
        self.site, self._say = site, say
        self._notified_at = -TELL_S
        self._most = most_connections()
        self.closing = threading.Event()
        self._threads: dict[socket.socket, threading.Thread] = {}
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        """Bind without asking the network for this machine's name."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.socket.getsockname()[1]

    def get_request(self) -> tuple[socket.socket, Any]:
        """The next connection; where the system has none to give, a pause before asking again."""
        try:
            return super().get_request()
        except OSError as short:
            self._tell(short)
            self.closing.wait(SHORT_S)
            raise

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a new thread; one too many is closed, and may ask again."""
        if len(self._threads) >= self._most:
            super().shutdown_request(request)
            return
        work = threading.Thread(
            target=self._converse, args=(request, client_address), name="page", daemon=True
        )
        with self._lock:
            self._threads[request] = work
        work.start()

    def _converse(self, request: socket.socket, client_address: Any) -> None:
        try:
            self.finish_request(request, client_address)
        except Exception:
            self.handle_error(request, client_address)
        finally:
            self.shutdown_request(request)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection."""
        with self._lock:
            self._threads.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever leaves in the middle of an answer makes no error; used-up files or threads do."""
        wrong = sys.exc_info()[1]
        if isinstance(wrong, ConnectionError | TimeoutError):
            return
        if isinstance(wrong, OSError | RuntimeError | MemoryError):
            self._tell(wrong)
            return
        super().handle_error(request, client_address)

    def _tell(self, wrong: BaseException) -> None:
        """Say why the page does not answer, now and then."""
        now = time.monotonic()
        if now - self._notified_at >= TELL_S:
            self._notified_at = now
            reason = getattr(wrong, "strerror", None) or str(wrong) or "out of memory"
            self._say(f"the page could not answer: {reason}")

    def hang_up(self) -> None:
        """End all conversations, and the threads with them."""
        self.closing.set()
        with self._lock:
            threads = dict(self._threads)
        for connection in threads:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        end = time.monotonic() + GOODBYE_S
        for thread in threads.values():
            thread.join(max(0.0, end - time.monotonic()))


class PageServer:
    """Serves the page about a board, from entering its block to leaving it."""

    def __init__(
        self, board: Board, port: int | None = None, say: Callable[[str], None] = lambda _: None
    ) -> None:
        """`port` None takes 8000, or the next one that is free; `say` hears what goes wrong."""
        self._site, self._port, self._say = Site(board), port, say
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where the page is, inside the block."""
        assert self._server
        return f"http://127.0.0.1:{self._server.server_port}/"

    def __enter__(self) -> PageServer:
        """Start to listen. Raises UsageError where the port cannot be had."""
        self._server = _bind(self._site, self._port, self._say)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(ACCEPT_S,), name="page-server", daemon=True
        )
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close every connection; no thread is left."""
        assert self._server
        assert self._thread
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._server.hang_up()


def most_connections() -> int:
    """How many connections leave the loop files enough to open: each takes two."""
    if sys.platform == "win32":
        return CONNECTIONS
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS if soft == resource.RLIM_INFINITY else max(1, min(CONNECTIONS, soft // 4))


def _bind(site: Site, port: int | None, say: Callable[[str], None]) -> _Server:
    """Listen at a port, or at the first free one from PORT on."""
    if port is None:
        for candidate in range(PORT, PORT + PORTS_TRIED):
            with suppress(OSError):
                return _Server(candidate, site, say)
        message = f"no port from {PORT} to {PORT + PORTS_TRIED - 1} is free"
        raise UsageError(message, "--port 0 takes any that is free")
    try:
        return _Server(port, site, say)
    except (OSError, OverflowError) as wrong:
        reason = (isinstance(wrong, OSError) and wrong.strerror) or "ports go from 0 to 65535"
        hint = f"without --port it is {PORT}, or the next one that is free"
        raise UsageError(f"cannot serve the page at port {port}: {reason}", hint) from wrong
