"""The published ids of slides and tiles, and the check that a slide has the tiles that it should have."""

import hashlib
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise

from plismbench.dataset import RegisteredDataset, Slide
from plismbench.errors import CorruptFile

_SLIDE_ID = re.compile(r"([A-Za-z0-9]+_[A-Za-z0-9]+)_to_[A-Za-z0-9_]+\.tif")
_TILE_ID = re.compile(r"tile_\d+_(\d{1,6})_(\d{1,6})")


def slide_name(slide_id: str | None) -> str | None:
    """``GMH_S60`` of ``GMH_S60_to_GMH_S60.tif``; None if it is not the id of a slide."""
    found = _SLIDE_ID.fullmatch(slide_id or "")
    return found and found[1]


def tile_xy(tile_id: str | None) -> tuple[int, int] | None:
    """``(8, 20)`` of ``tile_16_8_20``; None if it is not the id of a tile."""
    found = _TILE_ID.fullmatch(tile_id or "")
    return found and (int(found[1]), int(found[2]))


def ids_sha256(tile_ids: Iterable[str]) -> str:
    """SHA-256 of the ids, one a line, in the order given: by x, then by y, everywhere here."""
    return hashlib.sha256("\n".join(tile_ids).encode()).hexdigest()


def require_apart(places: Sequence[tuple[int, int, str]], slide: Slide, where: object) -> None:
    """Checks that no two of a slide's tiles, sorted as (x, y, name), show one place.

    Raises:
        CorruptFile: naming both.
    """
    for before, after in pairwise(places):
        if before[:2] == after[:2]:
            raise CorruptFile(f"The same tile twice: {before[2]} and {after[2]} of slide {slide} in {where}.")


def require_count(slide: Slide, n_found: int, n_expected: int, where: object, *, what: str = "tiles") -> None:
    """Checks that a slide has as many tiles as the data set says.

    Raises:
        CorruptFile: with both numbers.
    """
    if n_found != n_expected:
        raise CorruptFile(f"Slide {slide} has {n_found:,} {what} in {where}; expected {n_expected:,}.")


def require_tiles(dataset: RegisteredDataset, slide: Slide, tile_ids: Iterable[str], where: str) -> None:
    """Checks that a slide shows the places that the data set says it shows, if it says so.

    Raises:
        CorruptFile: if the ids have another SHA-256.
    """
    found = ids_sha256(tile_ids)
    if dataset.tiles_sha256 and found != dataset.tiles_sha256:
        raise CorruptFile(
            f"Slide {slide} in {where} has other tiles than {dataset.title}: the SHA-256 of their ids is"
            f" {found[:12]}…; expected {dataset.tiles_sha256[:12]}…."
        )
