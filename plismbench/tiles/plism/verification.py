"""Whether downloaded files are what was published, found out without a network."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from plismbench.dataset import Slide
from plismbench.errors import CorruptFile, Unavailable
from plismbench.tiles.plism.download import sha256_of
from plismbench.tiles.plism.hub import PublishedFile
from plismbench.tiles.plism.local import damage_mark
from plismbench.tiles.source import KeptTiles


class Problem(NamedTuple):
    """What is wrong, with a file or a slide."""

    name: str
    what: str


def check_files(folder: Path, files: Iterable[PublishedFile], on_bytes: Callable[[int], None]) -> Iterator[Problem]:
    """Reads every byte; what is not as published is named, and marked so that a download fetches it again.

    Raises:
        StorageFailure: if a file cannot be read.
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
            yield Problem(file.path, f"is damaged: {size:,} bytes, not {file.size:,}")
        elif file.sha256 and found != file.sha256:
            what = f"is damaged: SHA-256 {found[:12]}…, not {file.sha256[:12]}…"
            try:
                damage_mark(path).touch()
            except OSError as error:
                what += f"; remove it, as it cannot be marked for a download ({error.strerror})"
            yield Problem(file.path, what)
        else:
            with contextlib.suppress(OSError):
                damage_mark(path).unlink(missing_ok=True)


def check_slides(source: KeptTiles, slides: Iterable[Slide], on_slides: Callable[[int], None]) -> Iterator[Problem]:
    """Reads the ids of all tiles: as many as there should be, none twice, the same on every slide."""
    first: tuple[Slide, list[str]] | None = None
    for slide in slides:
        try:
            tile_ids = [place.name for place in source.of(slide).places(source.dataset)]
        except (CorruptFile, Unavailable) as error:
            yield Problem(str(slide), error.message)
        else:
            first = first or (slide, tile_ids)
            if tile_ids != first[1]:
                other = min(set(tile_ids).symmetric_difference(first[1]))
                yield Problem(str(slide), f"has other tiles than {first[0]}: {other} is on one of the two only")
        on_slides(1)
