"""The page's server over real sockets, with a board that is fed by hand."""

from __future__ import annotations

import errno
import json
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from socketserver import TCPServer
from typing import Any

import numpy as np
import pytest
from dense import boxed
from PIL import Image

from smd_cli.errors import UsageError
from smd_cli.output.stills import Pixels
from smd_cli.scene.paint.painted import Painted, PaintedScene
from smd_cli.scene.types import Brush
from smd_cli.watch import serve, site
from smd_cli.watch.board import Board, Command
from smd_cli.watch.serve import PageServer

EVIL = "<img src=x onerror=alert(1)>"
SAME = {"Origin": "http://127.0.0.1:{port}"}


def flat(level: int, side: int = 64) -> Pixels:
    """A grey picture."""
    return np.full((side, side, 3), level, np.uint8)


def noise(level: int) -> Pixels:
    """A picture that takes many bytes, and whose first corner tells the level."""
    pixels = np.random.default_rng(level).integers(0, 256, (256, 256, 3), np.uint8)
    pixels[:32, :32] = level
    return pixels


def painted(prompt: str = "a fox") -> PaintedScene:
    """A scene with one brush on its left half."""
    paint = np.zeros((64, 64), np.float32)
    paint[:, :32] = 1
    return PaintedScene(
        (64, 64), (Painted(Brush(1, prompt, (), name="fox"), boxed(paint), ()),), None
    )


@pytest.fixture
def board() -> Board:
    return Board()


@pytest.fixture
def page(board: Board) -> Iterator[PageServer]:
    with PageServer(board, 0) as server:
        yield server


def port_of(page: PageServer) -> int:
    return int(page.url.rstrip("/").rpartition(":")[2])


class Answer:
    """A whole answer."""

    def __init__(
        self, page: PageServer, method: str, path: str, headers: dict[str, str] | None = None
    ) -> None:
        port = port_of(page)
        connection = HTTPConnection("127.0.0.1", port, timeout=10)
        own = {name: value.format(port=port) for name, value in (headers or {}).items()}
        connection.putrequest(method, path, skip_host="Host" in own)
        for name, value in own.items():
            connection.putheader(name, value)
        connection.endheaders()
        with connection.getresponse() as response:
            self.status, self.headers, self.body = (
                response.status,
                response.headers,
                response.read(),
            )
        connection.close()


class Client:
    """A connection that stays open."""

    def __init__(self, page: PageServer, path: str, receive_bytes: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", port_of(page)))
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        self.read = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def until(self, end: bytes) -> bytes:
        """Read up to a mark, and give what was before it."""
        while end not in self.read:
            piece = self.socket.recv(1 << 16)
            assert piece, f"the server hung up: {self.read[-200:]!r}"
            self.read += piece
        found, _, self.read = self.read.partition(end)
        return found

    def rest(self) -> bytes:
        """All that comes until the server hangs up."""
        with suppress(ConnectionError):
            while piece := self.socket.recv(1 << 16):
                self.read += piece
        return self.read

    def event(self) -> dict[str, Any]:
        """The next event."""
        self.until(b"data: ")
        facts: dict[str, Any] = json.loads(self.until(b"\n\n"))
        return facts

    def level(self) -> int:
        """The grey of the corner of the stream's next picture."""
        self.until(b"image/jpeg\r\n\r\n")
        jpeg = self.until(b"\r\n--")
        self.read = b"--" + self.read
        return round(float(np.asarray(Image.open(BytesIO(jpeg)))[8:24, 8:24].mean()))


def spied(monkeypatch: pytest.MonkeyPatch, name: str) -> list[tuple[Any, ...]]:
    """The arguments with which the site calls a function, from now on."""
    calls = []
    function = vars(site)[name]

    def spy(*arguments: Any) -> Any:
        calls.append(arguments)
        return function(*arguments)

    monkeypatch.setattr(site, name, spy)
    return calls


def handles() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def until(done: Any) -> None:
    end = time.monotonic() + 10
    while not done():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.02)


def conversations() -> int:
    return sum(thread.name == "page" for thread in threading.enumerate())


# What can be had


def test_the_page_is_served_with_a_policy_that_lets_it_do_nothing_else(page: PageServer) -> None:
    answer = Answer(page, "GET", "/")
    policy = answer.headers["Content-Security-Policy"]
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert policy.count("'sha256-") == 2
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "same-origin"


def test_the_page_needs_nothing_from_elsewhere() -> None:
    text = Path(site.__file__).with_name("page.html").read_text(encoding="utf-8")
    named = set(re.findall(r"https?://[^'\"\s]+", text))
    assert named == {"http://www.w3.org/2000/svg"}
    assert "innerHTML" not in text
    assert not re.search(r"\bon[a-z]+=|\bstyle=", text)


def test_the_picture_is_had_losslessly(board: Board, page: PageServer) -> None:
    assert Answer(page, "GET", "/picture.png").status == 404
    for level in (3, 4):
        board.tell(pixels=noise(level))
        answer = Answer(page, "GET", f"/picture.png?{level}")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "image/png")
        assert np.array_equal(np.asarray(Image.open(BytesIO(answer.body))), noise(level))


def test_the_overlay_is_drawn_once_a_scene(
    board: Board, page: PageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = spied(monkeypatch, "draw_overlay")
    assert Answer(page, "GET", "/overlay.png").status == 404
    board.tell(painted=painted())
    bodies = [Answer(page, "GET", "/overlay.png").body for _ in range(3)]
    assert len(drawn) == 1
    overlay = np.asarray(Image.open(BytesIO(bodies[0])))
    height, width, channels = overlay.shape
    assert channels == 4
    assert overlay[height // 2, width // 4, 3]
    assert not overlay[height // 2, 3 * width // 4, 3]
    board.tell(painted=painted("an owl"))
    assert Answer(page, "GET", "/overlay.png").status == 200
    assert len(drawn) == 2


@pytest.mark.parametrize("path", ["/", "/picture.png", "/overlay.png", "/live.mjpg", "/events"])
def test_head_tells_what_get_would(board: Board, page: PageServer, path: str) -> None:
    board.tell(pixels=flat(1), painted=painted())
    answer = Answer(page, "HEAD", path)
    assert (answer.status, answer.body) == (200, b"")
    if "Content-Length" in answer.headers:
        whole = Answer(page, "GET", path)
        assert answer.headers["Content-Length"] == str(len(whole.body))


def test_one_connection_serves_request_after_request(board: Board, page: PageServer) -> None:
    board.tell(pixels=flat(1))
    connection = HTTPConnection("127.0.0.1", port_of(page), timeout=10)
    for path, status in [("/", 200), ("/gone", 404), ("/picture.png", 200), ("/play", 405)]:
        connection.request("GET", path)
        response = connection.getresponse()
        assert (response.status, bool(response.read())) == (status, True)
    assert conversations() == 1
    connection.close()


@pytest.mark.parametrize(
    "path",
    [
        "/index.html",
        "/page.html",
        "/serve.py",
        "/./",
        "/../serve.py",
        "/%2e%2e/serve.py",
        "/quit",
        "/picture.png/",
        "/PICTURE.PNG",
        "http://127.0.0.1/",
        "/favicon.ico",
        "*",
        "/\x80",
    ],
)
def test_nothing_else_is_served(page: PageServer, path: str) -> None:
    with Client(page, path) as client:
        assert b" 404 " in client.until(b"\r\n")
        if "quit" in path:
            assert Answer(page, "POST", path, SAME).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_are_refused(page: PageServer, method: str) -> None:
    answer = Answer(page, method, "/picture.png", SAME)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    if method != "POST":
        answer = Answer(page, method, "/play", SAME)
        assert (answer.status, answer.headers["Allow"]) == (405, "POST")


def test_what_is_no_request_is_refused_without_repeating_it(
    page: PageServer, capfd: pytest.CaptureFixture[str]
) -> None:
    for text in ("BREW", f"{EVIL} / HTTP/1.1", "GET / HTTP/9.9", "GET / " + "x" * 70_000):
        with Client(page, "/") as client:
            client.until(b"</html>")
            client.socket.sendall(f"{text}\r\n\r\n".encode())
            answer = client.rest()
            assert answer
            assert b"onerror" not in answer
    assert capfd.readouterr().err == ""


# Who may ask


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8000", "LocalHost:1", "127.0.0.1:65535"])
def test_our_names_are_answered_at_any_port(page: PageServer, host: str) -> None:
    assert Answer(page, "GET", "/", {"Host": host}).status == 200


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:8000",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "localhost:evil",
        "localhost:80@evil.example",
        "127.0.0.2",
        "0.0.0.0:8000",
        "[::1]:8000",
        "localhost:",
    ],
)
def test_other_names_are_refused(board: Board, page: PageServer, host: str) -> None:
    board.tell(pixels=flat(1))
    for path in ("/", "/picture.png", "/events", "/live.mjpg", "/gone"):
        assert Answer(page, "GET", path, {"Host": host}).status == 403


@pytest.mark.parametrize("hosts", ["", "Host: localhost\r\nHost: evil.example\r\n"])
def test_a_request_has_one_name(page: PageServer, hosts: str) -> None:
    with socket.create_connection(("127.0.0.1", port_of(page)), timeout=10) as own:
        own.sendall(f"GET / HTTP/1.0\r\n{hosts}\r\n".encode())
        assert own.recv(100).startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize("command", [Command.PLAY, Command.STEP, Command.SEED, Command.KEEP])
def test_buttons_ask_the_board(board: Board, page: PageServer, command: Command) -> None:
    answer = Answer(page, "POST", f"/{command.value}", SAME)
    assert (answer.status, answer.body) == (204, b"")
    assert board.wake.is_set()
    assert board.asked() == [command]


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "localhost:9000", "Origin": "http://localhost:9000"},
        {"Sec-Fetch-Site": "same-origin"},
    ],
)
def test_a_button_may_come_through_a_tunnel(
    board: Board, page: PageServer, headers: dict[str, str]
) -> None:
    assert Answer(page, "POST", "/keep", headers).status == 204
    assert board.asked() == [Command.KEEP]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "null"},
        {"Origin": "http://evil.example"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Origin": "http://localhost:{port}"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://127.0.0.1:{port}.evil.example"},
        {"Origin": "http://evil.example", "Sec-Fetch-Site": "same-origin"},
        {"Host": "evil.example", "Origin": "http://evil.example"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_nobody_else_presses_buttons(
    board: Board, page: PageServer, headers: dict[str, str]
) -> None:
    assert Answer(page, "POST", "/play", headers).status == 403
    assert not board.wake.is_set()
    assert board.asked() == []


def test_a_body_is_never_taken_for_a_request(board: Board, page: PageServer) -> None:
    origin = SAME["Origin"].format(port=port_of(page))
    inner = f"POST /keep HTTP/1.1\r\nHost: 127.0.0.1:{port_of(page)}\r\nOrigin: {origin}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port_of(page)), timeout=10) as own:
        head = f"POST /play HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(inner)}\r\n\r\n"
        own.sendall((head + inner).encode())
        assert own.recv(100).startswith(b"HTTP/1.1 403 ")
    until(lambda: not conversations())
    assert board.asked() == []


# Streams


def test_events_tell_what_is_known_and_what_changes(board: Board, page: PageServer) -> None:
    board.tell(scene="s.yaml", wanted=3, watched=("s.yaml", "fox.png"))
    with Client(page, "/events") as client:
        assert b"Content-Type: text/event-stream\r\n" in client.until(b"\r\n\r\n")
        first = client.event()
        assert (first["scene"], first["wanted"], first["watched"]) == (
            "s.yaml",
            3,
            ["s.yaml", "fox.png"],
        )
        assert (first["picture_number"], first["scene_number"]) == (0, 0)
        assert (first["size"], first["brushes"]) == (None, [])
        board.tell(pixels=flat(1), painted=painted(EVIL), shown=3, fresh=True, seconds=0.5)
        second = client.event()
        assert (second["picture_number"], second["scene_number"]) == (1, 1)
        assert (second["fresh"], second["seconds"], second["size"]) == (True, 0.5, [64, 64])
        [brush] = second["brushes"]
        assert (brush["name"], brush["prompt"], brush["colour"]) == ("fox", EVIL, "#e69f00")
        board.tell(trouble="s.yaml:3:1: error: no\nhint: yes\n\ndata: x")
        assert client.event()["trouble"] == "s.yaml:3:1: error: no\nhint: yes\n\ndata: x"


def test_a_page_that_comes_before_anything_is_told_hears_so(page: PageServer) -> None:
    with Client(page, "/events") as client:
        assert client.event()["picture_number"] == 0


def test_silence_is_broken_by_a_comment(
    board: Board, page: PageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "KEEP_ALIVE_S", 0.3)
    with Client(page, "/events") as client:
        client.event()
        assert client.until(b": still here\n\n") == b""
        board.tell(wanted=1)
        assert client.event()["wanted"] == 1


def test_pictures_follow_each_other(board: Board, page: PageServer) -> None:
    with Client(page, "/live.mjpg") as early:
        head = early.until(b"\r\n\r\n").decode()
        assert "multipart/x-mixed-replace; boundary=smd-next-picture" in head
        for level in (10, 200):
            board.tell(pixels=flat(level))
            assert abs(early.level() - level) <= 1
        with Client(page, "/live.mjpg") as late:
            assert abs(late.level() - 200) <= 1


def test_the_stream_keeps_full_colour(board: Board, page: PageServer) -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:, ::2, 0] = pixels[:, 1::2, 2] = 255
    board.tell(pixels=pixels)
    with Client(page, "/live.mjpg") as client:
        client.until(b"image/jpeg\r\n\r\n")
        shown = np.asarray(Image.open(BytesIO(client.until(b"\r\n--")))).astype(int)
    assert np.abs(shown - pixels).mean() < 12


def test_a_picture_is_encoded_once_for_all(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = spied(monkeypatch, "encode_live")
    with (
        PageServer(board, 0) as page,
        Client(page, "/live.mjpg") as one,
        Client(page, "/live.mjpg") as other,
    ):
        for level in (10, 200):
            board.tell(pixels=flat(level))
            assert abs(one.level() - level) <= 1
            assert abs(other.level() - level) <= 1
    assert len(encoded) == 2


def test_a_change_of_state_alone_sends_no_picture(board: Board, page: PageServer) -> None:
    board.tell(pixels=flat(10))
    with Client(page, "/live.mjpg") as client:
        assert abs(client.level() - 10) <= 1
        board.tell(wanted=9)
        client.socket.settimeout(0.5)
        client.until(b"image/jpeg\r\n\r\n")
        with pytest.raises(TimeoutError):
            client.until(b"\r\n--")


@pytest.mark.slow
def test_a_slow_client_slows_nobody_and_gets_the_newest(board: Board, page: PageServer) -> None:
    pictures = [noise(level) for level in range(0, 250, 2)]
    with (
        Client(page, "/live.mjpg", receive_bytes=1 << 14) as slow,
        Client(page, "/events") as watcher,
    ):
        watcher.event()
        tells = []
        for pixels in pictures:
            start = time.monotonic()
            board.tell(pixels=pixels)
            tells.append(time.monotonic() - start)
            time.sleep(0.01)
        assert np.median(tells) < 0.005
        assert max(tells) < 0.5
        while watcher.event()["picture_number"] < len(pictures):
            pass
        levels = [slow.level()]
        while levels[-1] < 245:
            levels.append(slow.level())
    assert len(levels) < 8
    assert levels == sorted(levels)
    assert abs(levels[-1] - 248) <= 2


# Coming and going


def test_whoever_leaves_is_noticed_without_news(board: Board, page: PageServer) -> None:
    board.tell(pixels=flat(1))
    until(lambda: not conversations())
    for path in ("/live.mjpg", "/events", "/live.mjpg"):
        with Client(page, path) as client:
            client.until(b"\r\n\r\n")
            assert conversations() == 1
        until(lambda: not conversations())


def test_leaving_ends_all_threads_and_handles_at_once(
    board: Board, capfd: pytest.CaptureFixture[str]
) -> None:
    board.tell(pixels=noise(1))
    threads, open_before = threading.active_count(), handles()
    clients = []
    with PageServer(board, 0) as page:
        for path in ("/live.mjpg", "/events", "/live.mjpg", "/"):
            clients.append(Client(page, path))
            clients[-1].until(b"\r\n\r\n")
        clients.append(Client(page, "/live.mjpg", receive_bytes=1 << 14))
        for level in range(20):  # its last client does not read: the thread stands in a send
            board.tell(pixels=noise(level))
            time.sleep(0.01)
        silent = socket.create_connection(("127.0.0.1", port_of(page)))
        until(lambda: conversations() == 6)
        start = time.monotonic()
    assert time.monotonic() - start < 1.5
    assert threading.active_count() == threads
    for client in clients:
        client.rest()
        client.socket.close()
    silent.close()
    assert handles() == open_before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port_of(page)))
    assert capfd.readouterr().err == ""


def test_a_silent_connection_is_given_up(page: PageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve._Handler, "timeout", 0.3)
    with socket.create_connection(("127.0.0.1", port_of(page)), timeout=10) as silent:
        assert silent.recv(10) == b""
    until(lambda: not conversations())


def test_without_a_port_it_is_the_first_free_one(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        first = taken.getsockname()[1]
        monkeypatch.setattr(serve, "PORT", first)
        with PageServer(board) as one, PageServer(board) as two:
            assert first < port_of(one) < port_of(two) < first + serve.PORTS_TRIED
            assert Answer(one, "GET", "/").status == Answer(two, "GET", "/").status == 200
        monkeypatch.setattr(serve, "PORTS_TRIED", 1)
        with pytest.raises(UsageError) as wrong, PageServer(board):
            pass
        assert str(first) in wrong.value.message
        assert "--port 0" in wrong.value.hint


@pytest.mark.parametrize("ended", [True, False])
def test_a_port_that_is_asked_for_is_taken_or_refused(board: Board, ended: bool) -> None:
    with PageServer(board, 0) as page:
        port = port_of(page)
        Answer(page, "GET", "/")
        if not ended:
            with pytest.raises(UsageError) as wrong, PageServer(board, port):
                pass
            assert str(port) in wrong.value.message
            assert "the next one that is free" in wrong.value.hint
    with PageServer(board, port) as again:
        assert again.url == f"http://127.0.0.1:{port}/"


@pytest.mark.parametrize("port", [65536, -1])
def test_a_port_that_cannot_be_is_refused(board: Board, port: int) -> None:
    with pytest.raises(UsageError, match=r"65535"), PageServer(board, port):
        pass


def test_only_this_machine_is_listened_to(page: PageServer) -> None:
    with pytest.raises(OSError, match=r"refused|unreachable"):
        socket.create_connection(("127.0.0.2", port_of(page)), timeout=5)


def test_no_more_connections_than_the_loop_can_spare(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those who come too many are closed, and served as soon as there is room."""
    monkeypatch.setattr(serve, "CONNECTIONS", 3)
    with PageServer(board, 0) as page:
        clients = [Client(page, "/events") for _ in range(3)]
        for client in clients:
            client.until(b"retry: 1000")
        late = socket.create_connection(("127.0.0.1", port_of(page)), timeout=10)
        with late, suppress(ConnectionResetError):
            assert late.recv(10) == b""
        assert conversations() == 3
        clients[0].socket.close()
        until(lambda: conversations() == 2)
        assert Answer(page, "GET", "/").status == 200
        for client in clients[1:]:
            client.socket.close()


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such limit")
def test_few_files_leave_fewer_connections() -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, hard))
        assert serve.most_connections() == 10
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_used_up_files_are_a_sentence_and_no_busy_waiting(
    board: Board, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []
    tries = []

    def none_left(_: object) -> None:
        tries.append(time.monotonic())
        raise OSError(errno.EMFILE, "Too many open files")

    with PageServer(board, 0, say=said.append) as page, monkeypatch.context() as short:
        short.setattr(TCPServer, "get_request", none_left)
        with socket.create_connection(("127.0.0.1", port_of(page)), timeout=10) as waiting:
            waiting.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            time.sleep(1.2)
            assert 1 <= len(tries) <= 4
            short.undo()
            assert waiting.recv(15).startswith(b"HTTP/1.1 200")
    assert said == ["the page could not answer: Too many open files"]
    assert capfd.readouterr().err == ""


def test_used_up_files_in_an_answer_are_a_sentence(
    board: Board, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []

    def none_left() -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(serve, "DefaultSelector", none_left)
    with PageServer(board, 0, say=said.append) as page, Client(page, "/events") as client:
        client.rest()
    assert said == ["the page could not answer: Too many open files"]
    assert capfd.readouterr().err == ""


def test_outlines_and_the_saved_picture_can_be_had(board: Board, page: PageServer) -> None:
    board.tell(pixels=flat(9), painted=painted(), scene="s/\u00e9", seed=5, frame=3)
    saved = Answer(page, "GET", "/picture.png")
    name = "inline; filename*=UTF-8''s_%C3%A9-seed5-frame0003.png"
    assert saved.headers["Content-Disposition"] == name
    tint, lines = (
        np.array(Image.open(BytesIO(Answer(page, "GET", path).body)))[512]
        for path in ("/overlay.png", "/outlines.png")
    )
    assert tint[200, 3] > 40
    assert lines[200, 3] == 0
    assert lines[480:540, 3].max() > 250
