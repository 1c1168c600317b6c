"""The one way in which plismbench writes: whole or not at all, and one process after another."""

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from plismbench.errors import InvalidInput, StorageFailure
from plismbench.machine import host_name

_ABANDONED = 3600.0  # seconds; what is being written is touched every few

_OURS = ".plismbench-"  # so that nobody else's file is swept: a result may be written anywhere

PART = ".part"
"""Ending of what is being written."""


def require_writable(folder: Path) -> None:
    """Finds out before hours of work, not after, that nothing can be written; leaves nothing behind.

    Raises:
        StorageFailure: if the folder, or what is there of the path to it, takes no file.
    """
    with storage_errors(folder), tempfile.TemporaryFile(dir=nearest(folder)):
        pass


def nearest(folder: Path) -> Path:
    """A folder, or the innermost of those it will be made in that exists."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` to write to; it takes its place whole, or not at all.

    The content is flushed to the disk before the rename, so a file that exists is complete even
    after a power cut. On any error the temporary file goes; what killed processes left in the folder goes before.
    Of a link, what it leads to is written.

    Raises:
        InvalidInput: if it is a pipe or a device, whose place no file may take.
        StorageFailure: if the folder cannot be made or written, or the disk is full.
    """
    with storage_errors(path):
        if path.exists() and not path.is_file() and not path.is_dir():
            raise InvalidInput(f"{path} is a pipe or a device, not a file.", hint="Name a file.")
        if path.is_symlink():
            path = path.resolve()
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        handle, temporary = _locked_part(path.parent)
        try:
            yield temporary
            os.fsync(handle)
            # mkstemp makes private files; a shared store needs what the umask allows.
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(path)
            sync_folder(path.parent)
        finally:
            temporary.unlink(missing_ok=True)
            os.close(handle)


def write_text(path: Path, text: str) -> None:
    """Writes a small UTF-8 file, whole or not at all."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a small file, whole or not at all."""
    with writing(path) as temporary:
        temporary.write_bytes(content)


def remove_folder(path: Path) -> None:
    """Removes a folder and what is in it, if it is there."""
    with storage_errors(path):
        if path.exists():
            shutil.rmtree(path)


@contextlib.contextmanager
def folder_lock(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Lets processes that change what is in a folder do so one after the other, where the file system has locks.

    Args:
        folder: made if it is not there, unless it is shared.
        shared: it is only read; others may read it at the same time.

    Raises:
        StorageFailure: if the folder cannot be made or opened.
    """
    with storage_errors(folder):
        if not shared:
            folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle, wait=True, shared=shared)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turns the system's word on a path into one sentence with a next step."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFailure(
                f"The disk is full: could not write {path}.",
                hint="Free some space, or choose another --root or another file, and run the same command again.",
            ) from error
        raise StorageFailure(
            f"Cannot write {path}: {error.strerror or error}.",
            hint="Choose a path that can be written; --root and PLISMBENCH_ROOT are that of the workspace.",
        ) from error


def _sweep(folder: Path) -> None:
    """Removes the temporary files that killed processes left in ``folder``, not those being written.

    Many file systems of clusters keep locks from other machines: what another one wrote goes when it is old.
    """
    for leftover in folder.glob(f"{_OURS}*{PART}"):
        # Gone meanwhile, or another user's. NFS locks only what is open for writing.
        with contextlib.suppress(FileNotFoundError, PermissionError), leftover.open("r+b") as handle:
            old = time.time() - leftover.stat().st_mtime > _ABANDONED
            if (old or leftover.name.startswith(_of_this_machine())) and _lock(handle.fileno()):
                leftover.unlink()


def _locked_part(folder: Path) -> tuple[int, Path]:
    """A new temporary file, open and locked until it is closed: sweeps leave it alone."""
    while True:
        handle, name = tempfile.mkstemp(prefix=_of_this_machine(), suffix=PART, dir=folder)
        _lock(handle, wait=True)
        if Path(name).exists():
            return handle, Path(name)
        os.close(handle)  # another process swept it before it was locked


def _of_this_machine() -> str:
    return f"{_OURS}{host_name()}-"


def _lock(handle: int, *, wait: bool = False, shared: bool = False) -> bool:
    """Takes the lock of an open file; the system drops it when its owner dies."""
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # somebody has it, or this file system has no locks
        return False
    return True


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def sync_folder(folder: Path) -> None:
    """Flushes the names in a folder to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
