"""A folder with an image file for each tile."""

import os
import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from plismbench.dataset import RegisteredDataset
from plismbench.errors import CorruptFile
from plismbench.machine import n_cpus
from plismbench.tiles.decoding import IMAGE_SUFFIXES, decode_image
from plismbench.tiles.ids import require_apart, require_count
from plismbench.tiles.source import KeptSlide, Place
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


@dataclass(frozen=True)
class ImageFolder(KeptSlide[Place]):
    """Images of tiles, named ``X_Y`` or ``anything_X_Y``, such as ``tile_16_8_20.png``."""

    path: Path

    def places(self, dataset: RegisteredDataset | None) -> list[Place]:
        """See `KeptSlide`."""
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
            places.append(Place(int(found[1]), int(found[2]), file.name))
        places.sort()
        require_apart(places, self.slide, self.path)
        if dataset:
            require_count(self.slide, len(places), dataset.tiles_per_slide, self.path, what="images")
        return places

    def pixels(self, places: list[Place], ahead: int) -> Generator[npt.NDArray[np.uint8], None, None]:
        """See `KeptSlide`; decoded in threads."""
        with threads(n_cpus()) as decoders:
            yield from in_order(decoders, self._read, places, ahead)

    def _read(self, place: Place) -> npt.NDArray[np.uint8]:
        name = f"{place.name} of slide {self.slide} in {self.path}"
        try:
            content = (self.path / place.name).read_bytes()
        except OSError as error:
            raise CorruptFile(f"Cannot read {name}: {error.strerror}.") from error
        return decode_image(content, name)
