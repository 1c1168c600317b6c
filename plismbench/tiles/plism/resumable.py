"""Files that are fetched piece by piece: what an interruption leaves is gone on with."""

import contextlib
import fcntl
import os
import re
import threading
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from plismbench.machine import host_name
from plismbench.storage import PART, storage_errors, sync_folder


@contextlib.contextmanager
def continuing(path: Path) -> Iterator[FileIO | None]:
    """A file beside ``path`` to append to, which keeps what earlier tries wrote; None once ``path`` is there.

    It takes the place of ``path`` if the block ends without an error, and is kept if not. One process
    has it at a time; others wait, and mostly find that nothing is left to do. Where the file system
    has no locks, each has one of its own, and goes on with what an ended process of this machine left.

    Raises:
        StorageFailure: if the folder cannot be made or written, or the disk is full.
    """
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = _open_alone(path, _part(path))
    if handle is None:
        yield None
        return
    with handle:
        yield handle
        with storage_errors(path):
            os.fsync(handle.fileno())
            Path(str(handle.name)).replace(path)
            sync_folder(path.parent)


def begun(path: Path) -> int:
    """How many bytes `continuing` would go on after."""
    for part in (_part(path), *_left_behind(path)):
        with contextlib.suppress(OSError):
            if size := part.stat().st_size:
                return size
    return 0


def _open_alone(path: Path, part: Path) -> FileIO | None:
    while not path.exists():
        handle = part.open("a+b", buffering=0)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:  # this file system has no locks
            handle.close()
            return _open_own(path, part)
        # Whoever had the lock before may have renamed or removed the file that is open here.
        with contextlib.suppress(FileNotFoundError):
            if not path.exists() and os.path.samestat(os.fstat(handle.fileno()), part.stat()):
                return handle
        handle.close()
    return None


def _open_own(path: Path, part: Path) -> FileIO:
    """A file that no other process or thread opens; what was left by one that has ended becomes it."""
    own = path.with_name(f".{path.name}.{host_name()}-{os.getpid()}-{threading.get_ident()}{PART}")
    for leftover in (part, *_left_behind(path)):
        with contextlib.suppress(FileNotFoundError):  # another one took it
            if not leftover.stat().st_size:  # made to look for locks
                leftover.unlink()
            elif not own.exists():
                leftover.replace(own)
    return own.open("a+b", buffering=0)


def _left_behind(path: Path) -> Iterator[Path]:
    """Files that processes of this machine had of their own, and that have ended."""
    mine = re.compile(re.escape(f".{path.name}.{host_name()}-") + r"(\d+)-\d+" + re.escape(PART))
    for found in sorted(path.parent.glob(f".*{PART}")):
        name = mine.fullmatch(found.name)
        if name is not None and not _is_running(int(name[1])):
            yield found


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of somebody else
        return True
    return True


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}{PART}")
