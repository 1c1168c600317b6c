"""Where shards lie: what can open them, and what it means if they cannot be read."""

from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from plismbench.errors import CorruptFile, PlismbenchError, Unavailable


class ReadableFiles(Protocol):
    """What has the shards. Footers are kept by it, so it is hashable."""

    def open(self, path: str) -> IO[bytes]:
        """A file to read from any place."""
        ...

    def unreadable(self, message: str) -> PlismbenchError:
        """What it means that bytes from here are no parquet."""
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
