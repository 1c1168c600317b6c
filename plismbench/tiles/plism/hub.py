"""PLISM on the Hugging Face Hub: what is published there, and its tiles without a copy on the disk."""

import io
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from operator import attrgetter
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any, TypeVar, cast

from plismbench.dataset import RegisteredDataset, Slide
from plismbench.errors import CorruptFile, Unavailable
from plismbench.hub import http_error, hub_errors
from plismbench.tiles.plism.layout import Layout
from plismbench.tiles.shards import READERS, Shards
from plismbench.tiles.source import TileBatch

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer
    from fsspec.spec import AbstractBufferedFile
    from huggingface_hub import HfFileSystem

TILE_BYTES = 99_000
"""Mean size of a PNG file of PLISM: 146 GB for 1,481,298."""

_LOG = logging.getLogger(__name__)

_BUSY = (429, 500, 502, 503, 504)
# Names of what is raised when an answer breaks off, and when nobody is there: by httpx or httpx2, as huggingface_hub
# chooses.
_BROKEN = "ReadError ReadTimeout RemoteProtocolError WriteError"
_AWAY = "ConnectError ConnectTimeout"
# Seconds before each further try of a call that huggingface_hub does not repeat by itself. Without a network at all
# there is none: the next step comes at once.
_AT_FIRST = (1.0, 2.0, 4.0, 8.0)
# The same in the middle of the work, beside the half minute in which huggingface_hub asks again by itself: a router
# may start anew at night.
_LATER = (20.0, 40.0, 80.0)
_LONGEST_WAIT = 300.0  # the window of the Hub's rate limits


@dataclass(frozen=True)
class PublishedFile:
    """A file of a repository.

    Args:
        path: where it is in the repository, and below the folder that it is downloaded to.
        size: in bytes.
        sha256: of its content; empty where the Hub publishes none.
        slides: those that it may have tiles of.

    Raises:
        CorruptFile: if the path leads out of the folder.
    """

    path: str
    size: int
    sha256: str
    slides: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        path = PurePosixPath(self.path)
        if path.is_absolute() or ".." in path.parts or "\\" in self.path:
            raise CorruptFile(f"A repository lists a file outside of its folder: {self.path!r}.")


class _RemoteFile(io.RawIOBase):
    """A file of the Hub, of which no answer is longer or shorter than what was asked for.

    HfFileSystem takes any body with a good status for the bytes: also the page of a network that wants a login.
    """

    def __init__(self, remote: "AbstractBufferedFile", name: str) -> None:
        self._remote, self._name = remote, name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return int(self._remote.seek(offset, whence))

    def tell(self) -> int:
        return int(self._remote.tell())

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        wanted = memoryview(buffer)
        asked = min(len(wanted), int(self._remote.size) - self.tell())
        content: bytes = _later(lambda: self._remote.read(asked)) if asked else b""
        if len(content) != asked:
            raise Unavailable(
                f"What was asked for {asked:,} bytes of {self._name} sent {len(content):,}: it is not the Hub.",
                hint="Log in to the network if it wants that in a browser; check the proxy and HF_ENDPOINT.",
            )
        wanted[:asked] = content
        return asked

    def close(self) -> None:
        self._remote.close()
        super().close()


@dataclass(frozen=True)
class HubFiles:
    """Files on the Hub, to be read only."""

    files: "HfFileSystem"

    def open(self, path: str) -> IO[bytes]:
        """A file; nothing is read twice or ahead, and a network that is away for a while is waited for.

        Raises:
            Unavailable: when it is read, if something answers in place of the Hub.
        """
        remote = _later(lambda: self.files.open(path, cache_type="none"))
        return cast(IO[bytes], _RemoteFile(remote, PurePosixPath(path).name))

    def unreadable(self, message: str) -> Unavailable:
        """Parts of a file have no checksum, so nobody knows whose fault it is."""
        return Unavailable(
            message,
            hint="Run the same command again; if it stays, try another network or mirror (HF_ENDPOINT).",
        )


@dataclass(frozen=True)
class Published:
    """The files of a layout at one commit, so that no push is half seen."""

    files: HubFiles
    repo: str
    commit: str
    listed: tuple[PublishedFile, ...]

    def address(self, path: str) -> str:
        """What the file system calls a file."""
        return f"datasets/{self.repo}@{self.commit}/{path}"

    @property
    def addresses(self) -> tuple[str, ...]:
        """What the file system calls each of them."""
        return tuple(self.address(file.path) for file in self.listed)


def current_commit(repo: str, revision: str) -> str:
    """The commit that a revision of a repository stands for now: one request.

    Use it within `hub_errors`.
    """
    from huggingface_hub import HfApi, constants

    def ask() -> str:
        return str(HfApi().dataset_info(repo, revision=revision, timeout=constants.HF_HUB_ETAG_TIMEOUT).sha)

    return _patiently(ask)


def list_published(repo: str, commit: str, pattern: str) -> Published:
    """The files of a repository at a commit whose name matches a pattern, by name.

    Use it within `hub_errors`.

    Raises:
        Unavailable: if there is no such file.
    """
    from huggingface_hub import HfFileSystem

    files = HfFileSystem()
    published = Published(HubFiles(files), repo, commit, ())
    folder = published.address(str(PurePosixPath(pattern).parent)).removesuffix("/.")
    entries: list[Any] = _patiently(lambda: files.ls(folder))
    root = published.address("")
    listed = [
        PublishedFile(path, int(entry["size"]), (entry.get("lfs") or {}).get("sha256", ""))
        for entry in entries
        if fnmatch(path := entry["name"].removeprefix(root), pattern)
    ]
    if not listed:
        raise Unavailable(f"{repo} has no files {pattern} at commit {commit[:12]}.")
    return replace(published, listed=tuple(sorted(listed, key=attrgetter("path"))))


_Answer = TypeVar("_Answer")


def _later(ask: Callable[[], _Answer]) -> _Answer:
    """The answer to a request in the middle of the work, where more may pass and waiting longer pays."""
    return _patiently(ask, _LATER, f"{_BROKEN} {_AWAY}")


def _patiently(ask: Callable[[], _Answer], waits: Sequence[float] = _AT_FIRST, passing: str = _BROKEN) -> _Answer:
    """The answer to a request, which is sent again where that may help.

    Args:
        ask: sends the request.
        waits: seconds before each further try.
        passing: names of errors that may pass, beside the answers of a busy Hub.
    """
    from huggingface_hub.errors import HfHubHTTPError

    for wait in waits:
        try:
            return _with_client(ask)
        except http_error() as error:
            answer = error.response if isinstance(error, HfHubHTTPError) else None
            if answer is None and type(error).__name__ not in passing.split():
                raise
            if answer is not None and answer.status_code not in _BUSY:
                raise
            asked = "" if answer is None else answer.headers.get("Retry-After", "")
            seconds = min(float(asked), _LONGEST_WAIT) if asked.isdecimal() else wait
            _LOG.warning("The Hub does not answer as it should; asking again in %.0f s.", seconds)
            time.sleep(seconds)
    return _with_client(ask)


def _with_client(ask: Callable[[], _Answer]) -> _Answer:
    """The answer, also where another thread could not connect: huggingface_hub then closes the client that all share.

    See https://github.com/huggingface/huggingface_hub/issues/4861.
    """
    for _ in range(READERS):
        try:
            return ask()
        except (RuntimeError, AttributeError) as error:
            message = str(error)
            # The client is None for a moment.
            if "client has been closed" not in message and "'NoneType' object" not in message:
                raise
    return ask()


@dataclass(frozen=True)
class HubTiles:
    """Tiles from the parquet shards of a Hub repository, streamed (see `shards`).

    Any slide can be read alone: its row groups are found by bisection, nothing else is fetched, and
    nothing is kept on the disk.

    Args:
        dataset: what is read.
        repo: where it is published.
        commit: of the repository, the same for all slides.
    """

    dataset: RegisteredDataset
    repo: str
    commit: str

    def batches(self, slide: Slide, size: int) -> Iterator[TileBatch]:
        """All tiles of a slide, by x, then by y: see `TileSource`.

        Raises:
            AccessDenied: if the Hub wants a token, or the terms of the repository accepted.
            Unavailable: if the Hub cannot be reached, is busy for too long, or has no such thing.
            CorruptFile: if a shard, an id or an image is not what it should be.
        """
        with hub_errors(self.repo, self.commit, kind="dataset"):
            published = list_published(self.repo, self.commit, Layout.TILES.pattern)
            yield from Shards(slide, published.files, published.addresses).batches(self.dataset, size)
