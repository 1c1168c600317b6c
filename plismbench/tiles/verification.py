"""Whether downloaded files are what was published, found out without a network."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from plismbench.dataset import Slide
from plismbench.errors import CorruptFile, Unavailable
from plismbench.tiles.download import sha256_of
from plismbench.tiles.hub import PublishedFile
from plismbench.tiles.local import DownloadedTiles
from plismbench.workspace import storage_errors


class Problem(NamedTuple):
    """What is wrong, with a file or a slide."""

    name: str
    what: str


def check_files(folder: Path, files: Iterable[PublishedFile], on_bytes: Callable[[int], None]) -> Iterator[Problem]:
    """Reads every byte; what is not as published is named, and removed so that a download fetches it.

    Raises:
        StorageFailure: if a file cannot be read, or a damaged one not removed.
    """
    for file in files:
        path = folder / file.path
        if not path.exists():
            on_bytes(file.size)
            yield Problem(file.path, "is not there")
            continue
        size = path.stat().st_size
        found = sha256_of(path, on_bytes)
        if size != file.size:
            yield Problem(file.path, f"was damaged, and is removed: {size:,} bytes, not {file.size:,}")
        elif file.sha256 and found != file.sha256:
            yield Problem(file.path, f"was damaged, and is removed: SHA-256 {found[:12]}…, not {file.sha256[:12]}…")
        else:
            continue
        with storage_errors(path):
            path.unlink()


def check_slides(
    source: DownloadedTiles, slides: Iterable[Slide], on_slides: Callable[[int], None]
) -> Iterator[Problem]:
    """Reads the ids of all tiles: as many as there should be, none twice, the same on every slide."""
    first: tuple[Slide, list[str]] | None = None
    for slide in slides:
        try:
            tile_ids = source.tile_ids(slide)
        except (CorruptFile, Unavailable) as error:
            yield Problem(str(slide), error.message)
        else:
            first = first or (slide, tile_ids)
            if tile_ids != first[1]:
                other = min(set(tile_ids).symmetric_difference(first[1]))
                yield Problem(str(slide), f"has other tiles than {first[0]}: {other} is on one of the two only")
        on_slides(1)
