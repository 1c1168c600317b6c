"""Reads the vectors that plism-benchmark writes: one ``features.npy`` a slide.

Rows are tiles; columns are the DeepZoom level, x, y, then the vector, all float32.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from plismbench.dataset import Slide
from plismbench.embeddings.slide_file import Embeddings
from plismbench.errors import CorruptFile, MissingEmbeddings, NonFiniteValue

FEATURES_FILE = "features.npy"

_SLIDE_ID = re.compile(r"([A-Za-z0-9]+)_([A-Za-z0-9]+)_to_.+")
_PLACE = 3  # columns in front of the vector
_ROUNDED_OFF = 0.01  # the share of a vector that rounding may take, as of those that are extracted here


@dataclass(frozen=True)
class PlismBenchmarkSlide:
    """One slide as plism-benchmark stores it.

    Args:
        levels: (n_tiles,) int64 DeepZoom levels.
        embeddings: coordinates and vectors, by x, then by y, in float16.
    """

    levels: npt.NDArray[np.int64]
    embeddings: Embeddings


def slide_files(folder: Path) -> dict[Slide, Path]:
    """The ``<slide id>/features.npy`` in a folder, for example ``GIVH_S60_to_GMH_S60.tif/features.npy``.

    Raises:
        MissingEmbeddings: if there is none.
        CorruptFile: if two folders are of one slide.
    """
    found: dict[Slide, Path] = {}
    for path in sorted(folder.glob(f"*/{FEATURES_FILE}")):
        slide = _SLIDE_ID.fullmatch(path.parent.name)
        if slide:
            name = Slide(slide[1], slide[2])
            if name in found:
                raise CorruptFile(f"{folder} has slide {name} twice: {found[name].parent.name}, {path.parent.name}.")
            found[name] = path
    if not found:
        raise MissingEmbeddings(
            f"{folder} has no slides such as GMH_S60_to_GMH_S60.tif/{FEATURES_FILE}.",
            hint="Name the folder of one extractor, as plism-benchmark wrote it.",
        )
    return found


def read_slide(path: Path, slide: Slide) -> PlismBenchmarkSlide:
    """One slide's vectors, rounded to float16, in (x, y) order whatever the order of the file.

    Raises:
        CorruptFile: if the file is no matrix of that layout, or has a tile twice.
        NonFiniteValue: if a value is NaN, infinite or above what float16 holds, or a vector too near 0 for it.
    """
    try:
        table = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise CorruptFile(f"Cannot read {path}: {error.strerror or error}.") from error
    except (ValueError, EOFError) as error:  # NumPy's words advise to run what may be in the file
        raise CorruptFile(
            f"{path} is not whole, or no array of numbers as numpy.save writes it.", hint="Extract that slide again."
        ) from error
    if not isinstance(table, np.ndarray):
        raise CorruptFile(f"{path} is an archive of arrays; one array is expected.")
    if table.ndim != 2 or table.shape[1] <= _PLACE or table.dtype.kind != "f":
        raise CorruptFile(
            f"{path} is {table.shape} {table.dtype}; (n_tiles, 3 + dim) float32 is expected: level, x, y, vector."
        )
    places = np.array(table[:, :_PLACE], np.float64)
    if not (np.isfinite(places).all() and (places == places.round()).all() and np.abs(places).max(initial=0) < 2**31):
        raise CorruptFile(f"The first three columns of {path} are no level, x and y: they are not whole numbers.")
    order = np.lexsort((places[:, 2], places[:, 1]))
    with np.errstate(over="ignore", invalid="ignore"):  # infinity and NaN are refused below, with their tile
        rounded = table[:, _PLACE:].astype(np.float16)
        lost = _rounded_off(table[:, _PLACE:], rounded)[order]
    levels, xy = places[order, 0].astype(np.int64), places[order, 1:].astype(np.int32)
    twice = (xy[1:] == xy[:-1]).all(axis=1)
    if twice.any():
        x, y = xy[np.argmax(twice)]
        raise CorruptFile(f"{path} has tile ({x}, {y}) twice.")
    embeddings = Embeddings(slide, xy, rounded[order])
    if lost.any():
        x, y = xy[np.argmax(lost)]
        raise NonFiniteValue(f"The vector of {slide}, tile ({x}, {y}), is too near 0 for float16.")
    return PlismBenchmarkSlide(levels, embeddings)


def _rounded_off(vectors: npt.NDArray[np.floating], rounded: npt.NDArray[np.float16]) -> npt.NDArray[np.bool_]:
    """(n_tiles,) whether rounding takes too much of a vector."""
    lost = np.abs(vectors - rounded).sum(axis=1)  # not squared, which would be 0 of what is near it
    taken: npt.NDArray[np.bool_] = lost > _ROUNDED_OFF * np.abs(vectors).sum(axis=1)
    return taken
