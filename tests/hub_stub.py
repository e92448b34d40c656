"""A small hub on this machine: the few routes that the hub's library asks for, and their ills."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

SMALL_BYTES = 10_000  # larger files are "LFS": known by their SHA-256


@dataclass
class Repo:
    """One repository: files by path, one commit, `refusal` (status, error code) for all askers."""

    files: Mapping[str, bytes]
    commit: str = "0123456789abcdef0123456789abcdef01234567"
    refusal: tuple[int, str] | None = None

    def entry(self, path: str) -> dict[str, Any]:
        """What both listings tell of a file."""
        data = self.files[path]
        told: dict[str, Any] = {"size": len(data), "oid": _git_hash(data)}
        if len(data) > SMALL_BYTES:
            sha = hashlib.sha256(data).hexdigest()
            told["lfs"] = {"sha256": sha, "oid": sha, "size": len(data), "pointerSize": 130}
        return told

    def etag(self, path: str) -> str:
        entry = self.entry(path)
        return str(entry["lfs"]["sha256"] if "lfs" in entry else entry["oid"])


@dataclass
class Hub:
    """The repositories by id; `cuts` (path → bytes) breaks the line once, in that file's body.

    `stalls` (path → bytes) sets `stalled` there and sends no more until `resume` is set.

    `gets` are (path, first byte) of all files asked for, `asked` all requests of any kind.
    """

    repos: dict[str, Repo] = field(default_factory=dict)
    cuts: dict[str, int] = field(default_factory=dict)
    cuts_always: bool = False
    stalls: dict[str, int] = field(default_factory=dict)
    stalled: threading.Event = field(default_factory=threading.Event)
    resume: threading.Event = field(default_factory=threading.Event)
    gets: list[tuple[str, int]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    url: str = ""


def folder_files(folder: Path) -> dict[str, bytes]:
    """All files of a folder, as a repository has them."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    """Serve on a free port of the loopback."""

    class Handler(_Handler):
        held = hub

    server = _Server(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        hub.resume.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Clients that go away are what is tested."""


class _Handler(BaseHTTPRequestHandler):
    held: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, *, body: bool) -> None:
        self.held.asked.append(f"{self.command} {self.path}")
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        if parts[:2] == ["api", "models"]:
            self._api("/".join(parts[2:4]), parts[4:])
        elif len(parts) > 4 and parts[2] in ("resolve", "store"):
            self._file("/".join(parts[:2]), parts[2:4], "/".join(parts[4:]), body=body)
        else:
            self._refuse(404, "EntryNotFound")

    def _repo(self, name: str, revision: str) -> Repo | None:
        """The repository, unless there is something to refuse."""
        repo = self.held.repos.get(name)
        if repo is None:
            self._refuse(404, "RepoNotFound")
        elif repo.refusal:
            self._refuse(*repo.refusal)
        elif revision not in ("main", repo.commit):
            self._refuse(404, "RevisionNotFound")
        else:
            return repo
        return None

    def _api(self, name: str, rest: list[str]) -> None:
        repo = self._repo(name, rest[1] if len(rest) > 1 else "main")
        if repo is None:
            return
        if rest[:1] == ["tree"]:
            listing = [{"type": "file", "path": path, **repo.entry(path)} for path in repo.files]
            self._json(listing)
            return
        blobs = "blobs" in parse_qs(urlsplit(self.path).query)
        siblings = [
            {"rfilename": path, **(_as_blob(repo.entry(path)) if blobs else {})}
            for path in repo.files
        ]
        self._json({"id": name, "sha": repo.commit, "siblings": siblings})

    def _file(self, name: str, place: list[str], path: str, *, body: bool) -> None:
        """A file; large ones are elsewhere, in a store that knows nothing of commits."""
        repo = self._repo(name, place[1])
        if repo is None:
            return
        if path not in repo.files:
            self._refuse(404, "EntryNotFound")
            return
        data = repo.files[path]
        if len(data) > SMALL_BYTES and place[0] == "resolve":
            self._redirect(repo, f"/{name}/store/{repo.commit}/{path}", path)
            return
        first = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").split("-")[0])
        self.send_response(206 if first else 200)
        self.send_header("ETag", f'"{repo.etag(path)}"')
        if place[0] == "resolve":
            self.send_header("X-Repo-Commit", repo.commit)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(data) - first))
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if body:
            self.held.gets.append((path, first))
            self._send(path, data, first)

    def _redirect(self, repo: Repo, location: str, path: str) -> None:
        self.send_response(302)
        elsewhere = self.held.url.replace("127.0.0.1", "localhost")  # another host, to clients
        self.send_header("Location", elsewhere + location)
        self.send_header("X-Repo-Commit", repo.commit)
        self.send_header("X-Linked-ETag", f'"{repo.etag(path)}"')
        self.send_header("X-Linked-Size", str(len(repo.files[path])))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, path: str, data: bytes, first: int) -> None:
        cut = self.held.cuts.get(path)
        if path in self.held.stalls:
            self._stall(data, first, self.held.stalls[path])
            return
        if cut is None:
            self.wfile.write(data[first:])
            return
        if not self.held.cuts_always:
            del self.held.cuts[path]
        self.wfile.write(data[first : max(cut, first)])
        self.close_connection = True

    def _stall(self, data: bytes, first: int, until: int) -> None:
        self.wfile.write(data[first:until])
        self.wfile.flush()
        self.held.stalled.set()
        self.held.resume.wait()
        self.close_connection = True

    def _json(self, thing: Any) -> None:
        content = json.dumps(thing).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _refuse(self, status: int, code: str) -> None:
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()


def _as_blob(entry: dict[str, Any]) -> dict[str, Any]:
    return {("blobId" if key == "oid" else key): value for key, value in entry.items()}


def _git_hash(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
