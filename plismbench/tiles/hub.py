"""PLISM on the Hugging Face Hub, one slide at a time, with nothing kept on the disk."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from plismbench.dataset import PLISM, RegisteredDataset, Slide
from plismbench.errors import Unavailable
from plismbench.hub import hub_errors
from plismbench.tiles.png import decode_png
from plismbench.tiles.prefetch import in_order, threads
from plismbench.tiles.shards import READERS, Shards
from plismbench.tiles.source import TileBatch

_BUSY = (429, 500, 502, 503, 504)
# Seconds before each further try of a call that huggingface_hub does not repeat by itself.
_WAITS = (1.0, 2.0, 4.0, 8.0)
_LONGEST_WAIT = 300.0  # the window of the Hub's rate limits


@dataclass(frozen=True)
class HubTiles:
    """Tiles from the parquet shards of a Hub repository (see `shards`).

    Any slide can be read alone: its row groups are found by bisection, and nothing else is
    fetched. Memory holds some row groups of PNG files and two batches of pixels.
    """

    dataset: RegisteredDataset = PLISM
    repo: str = "owkin/plism-dataset-tiles"

    def batches(self, slide: Slide, size: int) -> Iterator[TileBatch]:
        """All tiles of a slide, by x, then y: see `TileSource`.

        Raises:
            AccessDenied: if the Hub wants a token, or the terms of the repository accepted.
            Unavailable: if the Hub cannot be reached, is busy for too long, or has no such thing.
            CorruptFile: if a shard, an id or an image is not what it should be.
        """
        with (
            hub_errors(self.repo, self.dataset.revision, kind="dataset"),
            threads(READERS) as readers,
            threads(os.cpu_count() or 1) as decoders,
        ):
            shards = self._shards()
            places = shards.places(slide, self.dataset.tiles_per_slide, readers)
            tiles = in_order(
                decoders,
                lambda item: decode_png(item[1], item[0].name),
                shards.encoded(places, readers),
                ahead=size,
            )
            for start in range(0, len(places), size):
                xy = np.array([(place.x, place.y) for place in places[start : start + size]], dtype=np.int32)
                yield TileBatch(slide, xy, np.stack(list(islice(tiles, len(xy)))))

    def _shards(self) -> Shards:
        """The shards at the commit that the revision stands for now, so that no push is half seen."""
        from huggingface_hub import HfApi, HfFileSystem, constants
        from huggingface_hub.errors import HfHubHTTPError

        for wait in (*_WAITS, None):
            try:
                info = HfApi().dataset_info(
                    self.repo, revision=self.dataset.revision, timeout=constants.HF_HUB_ETAG_TIMEOUT
                )
                files = HfFileSystem()
                listed = [str(path) for path in files.ls(f"datasets/{self.repo}@{info.sha}/data", detail=False)]
            except HfHubHTTPError as error:
                if wait is None or error.response.status_code not in _BUSY:
                    raise
                told = error.response.headers.get("Retry-After", "")
                time.sleep(min(float(told), _LONGEST_WAIT) if told.isdecimal() else wait)
            else:
                break
        paths = tuple(sorted(path for path in listed if path.endswith(".parquet")))
        if not paths:
            raise Unavailable(f"{self.repo} has no parquet files in data/ at revision '{self.dataset.revision}'.")
        return Shards(files, paths)
