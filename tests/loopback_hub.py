"""A Hub on 127.0.0.1, for tests: the endpoints that huggingface_hub, datasets and timm use, and its faults.

    ROOT/models/ORG/NAME/...     a model repository
    ROOT/datasets/ORG/NAME/...   a dataset repository

    with LoopbackHub(root) as hub:
        subprocess.run(command, env=os.environ | hub.environment(tmp_path / "hf"), check=True)
        assert [request.path for request in hub.requests if request.method == "GET"] == ...
        hub.faults.append(Fault("resolve/.*safetensors", status=503, times=2))

``HF_ENDPOINT`` is read when huggingface_hub is imported, so a subprocess is the honest way;
`in_this_process` patches what a test in the same process needs.
"""

import contextlib
import hashlib
import json
import re
import socket
import struct
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pytest

LOGIN_PAGE = b"<html>Please log in to the guest network</html>"
FULL_COMMIT = re.compile(r"[0-9a-f]{40}")
# What the Hub keeps in large file storage, where the hash that it publishes is a SHA-256.
LARGE = {".bin", ".h5", ".parquet", ".pt", ".pth", ".safetensors"}


class FaultKind(StrEnum):
    """What goes wrong with a response."""

    STATUS = "status"  # another status, with `headers`
    RESET = "reset"  # half of the body, then a TCP reset
    TRUNCATE = "truncate"  # half of the body, then an orderly end: shorter than Content-Length says
    STALL = "stall"  # half of the body, then silence for `seconds`
    CORRUPT = "corrupt"  # all of the body, every byte of its middle third inverted
    PAGE = "page"  # 200 and a page to log in, as a network in between answers


@dataclass
class Fault:
    """A rule: the first one that matches a request and has ``times`` left decides its fate.

    Args:
        where: regular expression, searched in ``"METHOD /path"`` without the query.
        kind: what goes wrong.
        times: how often; None for always.
        status, headers: of the kind STATUS; ``{"X-Error-Code": "GatedRepo"}``, ``{"Retry-After": "1"}``.
        seconds: of the kind STALL.
    """

    where: str
    kind: FaultKind = FaultKind.STATUS
    times: int | None = None
    status: int = 503
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 60.0


@dataclass(frozen=True)
class Request:
    """One request and what was answered; ``first`` and ``last`` are the range of bytes asked for."""

    method: str
    path: str
    status: int
    n_bytes: int
    first: int | None = None
    last: int | None = None


@dataclass
class Response:
    """What a request is answered, faults aside."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


class LoopbackHub:
    """Serves the repositories under ``root`` until the block ends.

    Revisions are ``main``, the current commit (`commit`) and any other full commit id: all hold
    what is on the disk. Trees are paged by ``page_size`` entries.

    Attributes:
        url: what ``HF_ENDPOINT`` should be.
        requests: every request, in order of arrival.
        faults: rules that may be added and removed at any time.
    """

    def __init__(self, root: Path, page_size: int = 1000) -> None:
        self.root = root
        self.page_size = page_size
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()  # joins the threads of the connections
        if self._server.errors:
            raise self._server.errors[0]

    def environment(self, hf_home: Path) -> dict[str, str]:
        """Variables that point a new process at this Hub, with its own cache and no token."""
        return {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(hf_home),
            "HF_HUB_CACHE": str(hf_home / "hub"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_PROGRESS_BARS": "1",
            "HF_HUB_OFFLINE": "0",
            "HF_DATASETS_OFFLINE": "0",
            "HF_TOKEN": "",
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    @contextlib.contextmanager
    def in_this_process(self, hf_home: Path) -> Iterator[None]:
        """Points the huggingface_hub of this process at this Hub, and closes its connections after."""
        from huggingface_hub import HfFileSystem, close_session, constants

        from plismbench.tiles import shards

        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment(hf_home).items():
                patch.setenv(name, value)
            patch.setattr(constants, "ENDPOINT", self.url)
            patch.setattr(
                constants, "HUGGINGFACE_CO_URL_TEMPLATE", self.url + "/{repo_id}/resolve/{revision}/{filename}"
            )
            patch.setattr(constants, "HF_HUB_CACHE", str(hf_home / "hub"))
            patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
            patch.setattr(constants, "HF_HUB_OFFLINE", False)
            patch.setattr(constants, "HF_TOKEN_PATH", str(hf_home / "token"))
            close_session()
            HfFileSystem.clear_instance_cache()  # it remembers what another Hub listed,
            shards._read_index.cache_clear()  # and we the footers of its files
            try:
                yield
            finally:
                close_session()

    def commit(self, repository: Path) -> str:
        """The commit id: changes when a file's name, size or time does."""
        seen = [(path.as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in _files(repository)]
        return hashlib.sha1(repr(seen).encode(), usedforsecurity=False).hexdigest()

    def requested(self, pattern: str) -> list[Request]:
        """The requests whose ``"METHOD /path"`` the regular expression finds."""
        return [request for request in self.requests if re.search(pattern, f"{request.method} {request.path}")]

    def fault_for(self, method: str, path: str) -> Fault | None:
        """The rule that strikes this request, counted."""
        with self._lock:
            for fault in self.faults:
                if fault.times != 0 and re.search(fault.where, f"{method} {path}"):
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None

    def answer(self, path: str, query: Mapping[str, list[str]], form: Mapping[str, Any]) -> Response:
        """What a healthy Hub says."""
        if match := re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+?)(?:/revision/([^/]+))?", path):
            return self._in_repository(*match.groups(), self._info)
        if match := re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)/tree/([^/]+)/?(.*)", path):
            kind, name, revision, folder = match.groups()
            return self._in_repository(kind, name, revision, lambda base, _: self._tree(base, path, folder, query))
        if match := re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)/paths-info/([^/]+)", path):
            paths = form.get("paths", [])
            wanted = [paths] if isinstance(paths, str) else paths
            return self._in_repository(
                *match.groups(),
                lambda base, _: _json([_entry(base, base / name) for name in wanted if (base / name).exists()]),
            )
        if match := re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)/auth-check", path):
            return self._in_repository(*match.groups(), None, lambda *_: _json({}))
        if path == "/api/whoami-v2":
            return _json({"type": "user", "name": "tester"})
        if match := re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            prefix, name, revision, file = match.groups()
            kind = "datasets" if prefix else "models"
            return self._in_repository(kind, name, revision, lambda base, commit: self._file(base, file, commit))
        return Response(HTTPStatus.NOT_FOUND, b'{"error":"no such endpoint"}')

    def _in_repository(self, kind: str, name: str, revision: str | None, answer: Any) -> Response:
        base = self.root / kind / unquote(name)
        revision = unquote(revision or "main")
        if not base.is_dir():
            # Not 404: the Hub does not tell strangers which private repositories exist.
            return Response(HTTPStatus.UNAUTHORIZED, headers={"X-Error-Code": "RepoNotFound"})
        if revision != "main" and not FULL_COMMIT.fullmatch(revision):
            return Response(HTTPStatus.NOT_FOUND, headers={"X-Error-Code": "RevisionNotFound"})
        response: Response = answer(base, self.commit(base) if revision == "main" else revision)
        return response

    def _info(self, base: Path, commit: str) -> Response:
        name = "/".join(base.parts[-2:])
        return _json(
            {
                "id": name,
                "modelId": name,
                "sha": commit,
                "private": False,
                "gated": False,
                "disabled": False,
                "downloads": 0,
                "likes": 0,
                "tags": [],
                "siblings": [{"rfilename": path.relative_to(base).as_posix()} for path in _files(base)],
                "lastModified": "2025-01-01T00:00:00.000Z",
                "createdAt": "2025-01-01T00:00:00.000Z",
            }
        )

    def _tree(self, base: Path, path: str, folder: str, query: Mapping[str, list[str]]) -> Response:
        top = base / unquote(folder)
        if not top.is_dir():
            return _no_entry()
        recursive = query.get("recursive", ["false"])[0].lower() in ("true", "1")
        entries = [_entry(base, found) for found in sorted(top.rglob("*") if recursive else top.iterdir())]
        start = int(query.get("cursor", ["0"])[0])
        end = start + self.page_size
        response = _json(entries[start:end])
        if end < len(entries):
            response.headers["Link"] = f'<{self.url}{quote(path)}?recursive={recursive}&cursor={end}>; rel="next"'
        return response

    def _file(self, base: Path, name: str, commit: str) -> Response:
        path = base / unquote(name)
        if not path.is_file():
            response = _no_entry()
        else:
            response = Response(HTTPStatus.OK, path.read_bytes())
            response.headers |= {
                "Content-Type": "application/octet-stream",
                "ETag": f'"{_content_hash(path)}"',
                "Accept-Ranges": "bytes",
            }
        response.headers["X-Repo-Commit"] = commit
        return response


def _files(base: Path) -> list[Path]:
    return sorted(path for path in base.rglob("*") if path.is_file())


def _content_hash(path: Path) -> str:
    """What the Hub publishes: SHA-256 of a large file, else the id of the git blob."""
    content = path.read_bytes()
    if path.suffix in LARGE:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _entry(base: Path, path: Path) -> dict[str, Any]:
    name = path.relative_to(base).as_posix()
    if path.is_dir():
        return {"type": "directory", "path": name, "size": 0, "oid": "0" * 40}
    size = path.stat().st_size
    entry: dict[str, Any] = {"type": "file", "path": name, "size": size, "oid": _content_hash(path)}
    if path.suffix in LARGE:
        entry |= {"oid": "1" * 40, "lfs": {"oid": entry["oid"], "size": size, "pointerSize": 134}}
    return entry


def _json(value: object) -> Response:
    return Response(HTTPStatus.OK, json.dumps(value).encode(), {"Content-Type": "application/json"})


def _no_entry() -> Response:
    return Response(HTTPStatus.NOT_FOUND, headers={"X-Error-Code": "EntryNotFound"})


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # joined by server_close, so that no thread outlives its test

    def __init__(self, hub: LoopbackHub) -> None:
        self.hub = hub
        self.errors: list[BaseException] = []
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Ends the connections that clients keep alive; their threads would wait for ever."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError):  # a client may leave when it likes
            self.errors.append(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        self._respond()

    def do_HEAD(self) -> None:
        self._respond()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "json" in self.headers.get("Content-Type", ""):
            self._respond(json.loads(body))
        else:
            self._respond(parse_qs(body.decode()))

    def _respond(self, form: Mapping[str, Any] | None = None) -> None:
        hub = self.server.hub
        url = urlsplit(self.path)
        fault = hub.fault_for(self.command, url.path)
        if fault is not None and fault.kind is FaultKind.STATUS:
            response = Response(fault.status, headers=dict(fault.headers))
        elif fault is not None and fault.kind is FaultKind.PAGE:
            response = Response(HTTPStatus.OK, LOGIN_PAGE, {"Content-Type": "text/html"})
        else:
            response = hub.answer(url.path, parse_qs(url.query), form or {})
        is_page = fault is not None and fault.kind is FaultKind.PAGE
        first, last = (None, None) if is_page else self._cut(response)
        if url.path != "/api/agent-harnesses":  # huggingface_hub asks this once a process, whoever is first
            hub.requests.append(Request(self.command, url.path, int(response.status), len(response.body), first, last))
        if fault is not None and fault.kind is FaultKind.CORRUPT:
            third = len(response.body) // 3
            inverted = bytes(255 - value for value in response.body[third : 2 * third])
            response.body = response.body[:third] + inverted + response.body[2 * third :]
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if fault is not None and fault.kind in (FaultKind.RESET, FaultKind.TRUNCATE, FaultKind.STALL):
            self._break_off(fault, response.body)
        elif self.command != "HEAD":
            self.wfile.write(response.body)

    def _cut(self, response: Response) -> tuple[int | None, int | None]:
        """Keeps the range of bytes that the client asked for."""
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked is None or response.status != HTTPStatus.OK or self.command == "HEAD":
            return None, None
        total = len(response.body)
        first = int(asked[1])
        last = min(int(asked[2]) if asked[2] else total - 1, total - 1)
        if first >= total:
            response.status, response.body = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, b""
            response.headers["Content-Range"] = f"bytes */{total}"
        else:
            response.status, response.body = HTTPStatus.PARTIAL_CONTENT, response.body[first : last + 1]
            response.headers["Content-Range"] = f"bytes {first}-{last}/{total}"
        return first, last

    def _break_off(self, fault: Fault, body: bytes) -> None:
        self.close_connection = True
        self.wfile.write(body[: len(body) // 2])
        self.wfile.flush()
        if fault.kind is FaultKind.STALL:
            self.server.hub.closing.wait(fault.seconds)
        elif fault.kind is FaultKind.RESET:
            # A linger time of 0 makes close() send RST; shutdown() before it would send FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.rfile.close()
            self.connection.close()
