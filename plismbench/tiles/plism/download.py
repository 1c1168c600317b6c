"""Published files to the disk: what is missing, piece by piece, checked before a file gets its name."""

import hashlib
import io
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from plismbench.dataset import RegisteredDataset, Slide
from plismbench.errors import StorageFailure, Unavailable
from plismbench.hub import hub_errors
from plismbench.storage import nearest, require_writable, storage_errors
from plismbench.tiles.plism.hub import HubFiles, Published, PublishedFile
from plismbench.tiles.plism.index import Index, first_commit, make_index, read_index, write_index
from plismbench.tiles.plism.layout import Layout
from plismbench.tiles.plism.local import damage_mark, is_there
from plismbench.tiles.plism.resumable import begun, continuing
from plismbench.tiles.thread_pool import for_each
from plismbench.workspace import Workspace

_PIECE = 16 * 1024 * 1024
"""Bytes asked for at a time: what a broken connection costs."""

_TRIES = 3
"""How often a file is fetched from its beginning, if what arrives is not what was published."""


@dataclass(frozen=True)
class Download:
    """What is to be fetched.

    Args:
        index: everything that is published.
        folder: where it goes.
        files: those with tiles of the slides asked for.
        absent: those of them that are not there yet.
        missing: of each of these, the bytes that no earlier try has fetched.
    """

    index: Index
    folder: Path
    files: tuple[PublishedFile, ...]
    absent: tuple[PublishedFile, ...]
    missing: tuple[int, ...]

    @property
    def n_bytes(self) -> int:
        """All that is still to be fetched."""
        return sum(self.missing)

    @property
    def free(self) -> int:
        """Bytes that the disk has room for."""
        return shutil.disk_usage(nearest(self.folder)).free

    def run(self, workers: int, on_bytes: Callable[[int], None]) -> None:
        """Fetches what is absent, several files at a time.

        An interruption at any moment loses no whole piece; the next run goes on from there.

        Args:
            workers: files at a time.
            on_bytes: told how many more bytes are there; negative where a file must start over.

        Raises:
            StorageFailure: if there is too little room, or the disk cannot be written.
            AccessDenied, Unavailable: as the Hub answers; if a file keeps arriving damaged.
        """
        if self.n_bytes > self.free:
            raise StorageFailure(
                f"{self.n_bytes:,} bytes are to be fetched, and {self.folder} has room for {self.free:,}.",
                hint="Free some space, choose another --root or fewer --slides, or extract without a download:"
                " it streams.",
            )
        if not self.absent:
            return
        for file in self.absent:
            path = self.folder / file.path
            with storage_errors(path):
                # Of another size, or damaged: nothing to go on with. Another process may have fetched it meanwhile.
                if path.exists() and not is_there(path, file.size):
                    path.unlink(missing_ok=True)
                damage_mark(path).unlink(missing_ok=True)
        from huggingface_hub import HfFileSystem

        repo = self.index.layout.repo
        published = Published(HubFiles(HfFileSystem()), repo, self.index.commit, self.index.files)
        with hub_errors(repo, self.index.commit, kind="dataset"):
            for_each(
                lambda todo, stop: _fetch(published, *todo, self.folder, on_bytes, stop),
                zip(self.absent, self.missing, strict=True),
                workers,
            )


def plan_download(
    dataset: RegisteredDataset,
    layout: Layout,
    workspace: Workspace,
    slides: tuple[Slide, ...],
    known: Mapping[str, str] | None = None,
) -> Download:
    """Finds out which files have the slides, and which of these are not there.

    The Hub is asked the first time only: the commit of that moment, or the one that is known, is kept.

    Args:
        dataset: what is fetched.
        layout: how it is published.
        workspace: where it goes.
        slides: those asked for.
        known: commits of repositories, which earlier work took tiles of.

    Raises:
        AccessDenied, Unavailable: as the Hub answers.
        CorruptFile: if the index or a shard is damaged.
        StorageFailure: if the index cannot be written.
    """
    folder = workspace.tiles(layout, dataset.revision)
    index = read_index(folder)
    if index is None:
        require_writable(folder)
        index = make_index(dataset, layout, first_commit(dataset, layout, workspace, known or {}))
        write_index(folder, index)
    files = index.needed(slides)
    absent = tuple(file for file in files if not is_there(folder / file.path, file.size))
    missing = tuple(file.size - min(begun(folder / file.path), file.size) for file in absent)
    return Download(index, folder, files, absent, missing)


def sha256_of(path: Path, on_bytes: Callable[[int], None] = lambda _: None) -> str:
    """SHA-256 of what is in a file."""
    digest = hashlib.sha256()
    with storage_errors(path), path.open("rb") as content:
        while block := content.read(_PIECE):
            digest.update(block)
            on_bytes(len(block))
    return digest.hexdigest()


def _fetch(
    published: Published,
    file: PublishedFile,
    missing: int,
    folder: Path,
    on_bytes: Callable[[int], None],
    stop: threading.Event,
) -> None:
    path = folder / file.path
    with continuing(path) as part:
        if part is None:  # another process was faster
            on_bytes(missing)
            return
        on_bytes(part.seek(0, io.SEEK_END) - (file.size - missing))  # what another process did meanwhile
        for _ in range(_TRIES):
            _append(published, file, part, on_bytes, stop)
            found = sha256_of(Path(part.name)) if file.sha256 else ""
            if found == file.sha256 and part.tell() == file.size:
                return
            on_bytes(-part.tell())
            with storage_errors(path):
                part.truncate(0)
                part.seek(0)
        raise Unavailable(
            f"{file.path} arrived damaged {_TRIES} times: its SHA-256 is {found[:12]}…; the Hub publishes"
            f" {file.sha256[:12]}….",
            hint="Something on the way changes it: try another network or mirror (HF_ENDPOINT).",
        )


def _append(
    published: Published, file: PublishedFile, part: io.FileIO, on_bytes: Callable[[int], None], stop: threading.Event
) -> None:
    with published.files.open(published.address(file.path)) as remote:
        while (done := part.tell()) < file.size:
            if stop.is_set():
                raise InterruptedError("another file could not be fetched")
            remote.seek(done)
            piece = memoryview(remote.read(min(_PIECE, file.size - done)))
            with storage_errors(Path(part.name)):
                while piece:
                    written = part.write(piece)
                    piece = piece[written:]
                    on_bytes(written)
