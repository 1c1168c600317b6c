"""Where shards lie: what opens them, and the error if they cannot be read."""

from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from plismbench.errors import CorruptFile, PlismbenchError, Unavailable


class ReadableFiles(Protocol):
    """What opens shards. Their footers are cached by it, so it is hashable."""

    def open(self, path: str) -> IO[bytes]:
        """A file to read from any place."""
        ...

    def unreadable(self, message: str) -> PlismbenchError:
        """The error to raise where bytes from here are no parquet."""
        ...

    def __hash__(self) -> int: ...


@dataclass(frozen=True)
class DiskFiles:
    """Files of this machine."""

    def open(self, path: str) -> IO[bytes]:
        """A file to read from any place.

        Raises:
            Unavailable: if it is not there.
        """
        try:
            return Path(path).open("rb")
        except FileNotFoundError as error:
            raise Unavailable(f"There is no file {path} any more.") from error

    def unreadable(self, message: str) -> CorruptFile:
        """The file is damaged."""
        return CorruptFile(message)
