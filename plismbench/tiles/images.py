"""A folder with an image file for each tile."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from plismbench.dataset import RegisteredDataset, Slide
from plismbench.errors import CorruptFile
from plismbench.machine import n_cpus
from plismbench.tiles.decoding import IMAGE_SUFFIXES, decode_image
from plismbench.tiles.ids import require_apart, require_count
from plismbench.tiles.source import TileBatch
from plismbench.tiles.thread_pool import in_order, threads

_NAME = re.compile(r"(?:.*_)?(\d{1,6})_(\d{1,6})")


def image_files(folder: Path) -> list[Path]:
    """The images in a folder, by name; a hidden file is none, such as macOS's ``._8_20.png`` beside ``8_20.png``."""
    with os.scandir(folder) as entries:  # which knows what is a folder without asking for each of many files
        return sorted(
            folder / entry.name
            for entry in entries
            if Path(entry.name).suffix.lower() in IMAGE_SUFFIXES
            and not entry.name.startswith(".")
            and not entry.is_dir()
        )


class ImagePlace(NamedTuple):
    """Where a tile lies, and its file. Sorts by x, then by y."""

    x: int
    y: int
    name: str


@dataclass(frozen=True)
class ImageFolder:
    """Images of tiles, named ``X_Y`` or ``anything_X_Y``, such as ``tile_16_8_20.png``."""

    path: Path
    slide: Slide

    def places(self, dataset: RegisteredDataset | None) -> list[ImagePlace]:
        """Every tile, by x, then by y.

        Args:
            dataset: says how many there must be; None takes as many as there are.

        Raises:
            CorruptFile: if there is no image, a name has no place in it, two have the same, or there are too few or
                many; if a link leads nowhere, or the folder cannot be read.
        """
        places = []
        try:
            files = image_files(self.path)
        except OSError as error:
            raise CorruptFile(
                f"Cannot read the images of slide {self.slide} in {self.path}: {error.strerror}."
            ) from error
        if not files:
            raise CorruptFile(
                f"No images of slide {self.slide} in {self.path}.", hint=f"They end in {', '.join(IMAGE_SUFFIXES)}."
            )
        for file in files:
            if not file.exists():
                raise CorruptFile(f"A link that leads nowhere: {file.name} of slide {self.slide} in {self.path}.")
            found = _NAME.fullmatch(file.stem)
            if found is None:
                raise CorruptFile(f"Not named X_Y or …_X_Y: image {file.name!r} of slide {self.slide} in {self.path}.")
            places.append(ImagePlace(int(found[1]), int(found[2]), file.name))
        places.sort()
        require_apart(places, self.slide, self.path)
        if dataset:
            require_count(self.slide, len(places), dataset.tiles_per_slide, self.path, what="images")
        return places

    def batches(self, dataset: RegisteredDataset, size: int) -> Iterator[TileBatch]:
        """All tiles, by x, then by y, decoded ahead in threads: see `TileSource`.

        Raises:
            CorruptFile: as `places`; or if an image is not what it should be.
        """
        places = self.places(dataset)
        with threads(n_cpus()) as decoders:
            tiles = in_order(decoders, self._read, places, ahead=size)
            for start in range(0, len(places), size):
                some = places[start : start + size]
                yield TileBatch.at(self.slide, some, islice(tiles, len(some)))

    def pick(self, dataset: RegisteredDataset, rows: Sequence[int]) -> TileBatch:
        """Some tiles: see `TilesAtHand`.

        Raises:
            CorruptFile: as `places`; or if an image is not what it should be.
        """
        every = self.places(dataset)
        places = [every[row] for row in rows]
        return TileBatch.at(self.slide, places, map(self._read, places))

    def _read(self, place: ImagePlace) -> npt.NDArray[np.uint8]:
        name = f"{place.name} of slide {self.slide} in {self.path}"
        try:
            content = (self.path / place.name).read_bytes()
        except OSError as error:
            raise CorruptFile(f"Cannot read {name}: {error.strerror}.") from error
        return decode_image(content, name)
