import json
from importlib.resources import files

import numpy as np
import pytest
from stores import make_dataset

from plismbench.dataset import DEMO, PLISM
from plismbench.tiles.demo import DemoTiles
from plismbench.tissue import tissue_of


def test_a_tile_of_plism_belongs_to_the_nearest_core():
    told = json.loads((files("plismbench") / "resources" / "plism_cores.json").read_text())["cores"]
    assert len(told) == 46
    assert sum(core["n_tiles"] for core in told) == PLISM.tiles_per_slide
    places = np.array([(round(core["x"]), round(core["y"])) for core in told], np.int32)
    tissue = tissue_of(PLISM, places)
    assert tissue.names[0] == "01_penis"
    assert tissue.labels.tolist() == list(range(46))
    random = np.random.default_rng(0)
    xy = np.stack([random.integers(8, 258, 300), random.integers(6, 188, 300)], axis=1).astype(np.int32)
    for (x, y), label in zip(xy, tissue_of(PLISM, xy).labels, strict=True):
        distances = [(core["x"] - x) ** 2 + (core["y"] - y) ** 2 for core in told]
        assert label == distances.index(min(distances))


@pytest.mark.parametrize(("n_tiles", "side"), [(1, 1), (63, 1), (64, 2), (256, 4), (10_000, 7)])
def test_other_data_are_cut_into_blocks_of_neighbours(n_tiles, side):
    width = int(np.ceil(np.sqrt(n_tiles)))
    xy = np.array([(i // width, i % width) for i in range(n_tiles)], np.int32)
    tissue = tissue_of(make_dataset(tiles=n_tiles), xy)
    sizes = np.bincount(tissue.labels, minlength=len(tissue.names))
    assert len(tissue.names) == side**2
    assert sizes.min() >= 0.6 * n_tiles / side**2
    for block in range(side**2):  # a block is compact: it reaches no further than its share of the slide
        own = xy[tissue.labels == block]
        assert (np.ptp(own, axis=0) <= width / side + 1).all()


def test_the_demo_has_sixteen_blocks_and_a_subset_keeps_those_that_it_has_tiles_of():
    batch = next(iter(DemoTiles().batches(DEMO.slides[0], DEMO.tiles_per_slide)))
    tissue = tissue_of(DEMO, batch.xy)
    assert np.bincount(tissue.labels).tolist() == [16] * 16
    assert tissue.names == tuple(f"block_{column}_{row}" for column in range(1, 5) for row in range(1, 5))
    rows = np.array([3, 50, 200, 51])
    some = tissue.at(rows)
    assert [some.names[label] for label in some.labels] == [tissue.names[label] for label in tissue.labels[rows]]
    assert set(some.names) == {tissue.names[label] for label in tissue.labels[rows]}
