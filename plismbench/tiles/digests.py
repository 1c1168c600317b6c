"""Digest of a slide's files, to notice when they change."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from plismbench.dataset import RegisteredDataset, Slide
from plismbench.own_dataset import OwnDataset
from plismbench.tiles.images import image_files

_BLOCKS = 16
_BLOCK_BYTES = 4096


def digest_of(path: Path) -> str:
    """Sixteen hex digits that change with a file, or with the images of a folder, but not with where they lie.

    Nothing is decoded and little is read: names and sizes, and evenly spaced blocks of bytes, which tell files of
    one size apart, such as uncompressed tiles.

    Returns:
        Nothing if there is no file, or it cannot be read: the error is raised where the tiles are.
    """
    digest = hashlib.sha256()
    try:
        files = image_files(path) if path.is_dir() else [path]
        for file in files:
            name = os.fsencode(file.name) if file != path else b""
            digest.update(b"%s %d\n" % (name, file.stat().st_size))
        for number in range(_BLOCKS if files else 0):
            place = len(files) * (number + 0.5) / _BLOCKS
            with files[int(place)].open("rb") as opened:
                opened.seek(int(place % 1 * os.fstat(opened.fileno()).st_size))
                digest.update(opened.read(_BLOCK_BYTES))
    except OSError:
        return ""
    return digest.hexdigest()[:16] if files else ""


def slide_digests(dataset: RegisteredDataset, slides: Iterable[Slide]) -> dict[Slide, str]:
    """The digest of the files of each slide, where they are one's own and can be read."""
    if not isinstance(dataset, OwnDataset):
        return {}
    paths = {slide: dataset.path(slide) for slide in slides}
    digests = {path: digest_of(path) for path in set(paths.values())}  # one file may hold many slides
    return {slide: digests[path] for slide, path in paths.items() if digests[path]}
