import os
import pickle
import shutil
import subprocess
import sys
import zlib
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.registration import phase_cross_correlation

import plismbench
from plismbench.dataset import DEMO, Slide
from plismbench.tiles.choice import tiles_at_hand
from plismbench.tiles.demo.demo import MARGIN, STRIDE, DemoTiles
from plismbench.tiles.source import TileBatch
from plismbench.workspace import Workspace

PACKAGE = Path(plismbench.__file__).parent
NAMES = ("GMH_S60", "GMH_AT2", "HR_S60")


@pytest.fixture(scope="module")
def batches() -> dict[str, TileBatch]:
    """Three whole slides, each as one batch."""
    found = {}
    for name in NAMES:
        (found[name],) = DemoTiles().batches(Slide.parse(name), 1000)
    return found


def test_a_slide_has_its_tiles_by_x_then_y(batches: dict[str, TileBatch]) -> None:
    batch = batches["GMH_S60"]
    assert batch.slide == Slide("GMH", "S60")
    assert batch.pixels.shape == (DEMO.tiles_per_slide, 224, 224, 3) == (256, 224, 224, 3)
    assert batch.pixels.dtype == np.uint8
    assert batch.xy.dtype == np.int32
    assert [tuple(place) for place in batch.xy] == sorted({tuple(place) for place in batch.xy})


def test_a_few_tiles_are_those_of_the_slide(batches: dict[str, TileBatch]) -> None:
    slide = Slide("GMH", "S60")
    few = tiles_at_hand(DEMO, Workspace(Path("nowhere"), "demo"), (slide,)).pick(slide, [9, 200])
    assert few.xy.tolist() == batches["GMH_S60"].xy[[9, 200]].tolist()
    np.testing.assert_array_equal(few.pixels, batches["GMH_S60"].pixels[[9, 200]])


def test_kept_tiles_are_those_with_most_tissue(batches: dict[str, TileBatch]) -> None:
    picture = np.asarray(Image.open(PACKAGE / "resources" / "demo_tissue.jpg"))
    height, width = picture.shape[:2]
    tissue = {}
    for left, top in product(range(MARGIN, width - MARGIN - 223, STRIDE), range(MARGIN, height - MARGIN - 223, STRIDE)):
        tile = picture[top : top + 224, left : left + 224]
        tissue[(left - MARGIN) // STRIDE, (top - MARGIN) // STRIDE] = float((tile.min(axis=2) < 215).mean())
    kept = {(int(x), int(y)) for x, y in batches["GMH_S60"].xy}
    assert kept < set(tissue)
    assert min(tissue[place] for place in kept) >= max(tissue[place] for place in set(tissue) - kept)
    assert min(tissue[place] for place in kept) > 0.6


def test_overlapping_tiles_share_their_pixels(batches: dict[str, TileBatch]) -> None:
    batch = batches["HR_S60"]
    row = {(int(x), int(y)): row for row, (x, y) in enumerate(batch.xy)}
    pairs = [(row[x, y], row[x + 1, y]) for x, y in row if (x + 1, y) in row]
    assert len(pairs) > 100
    for left, right in pairs:
        np.testing.assert_array_equal(batch.pixels[left][:, STRIDE:], batch.pixels[right][:, :-STRIDE])


@pytest.mark.parametrize("size", [1, 7, 256])
def test_pixels_do_not_depend_on_the_batch_size_or_the_instance(size: int, batches: dict[str, TileBatch]) -> None:
    source = pickle.loads(pickle.dumps(DemoTiles()))  # noqa: S301
    assert source == DemoTiles()
    assert source.dataset is DEMO
    parts = list(source.batches(Slide("GMH", "AT2"), size))
    assert [len(part) for part in parts] == [size] * (256 // size) + [256 % size] * (256 % size > 0)
    np.testing.assert_array_equal(np.concatenate([part.pixels for part in parts]), batches["GMH_AT2"].pixels)
    np.testing.assert_array_equal(np.concatenate([part.xy for part in parts]), batches["GMH_S60"].xy)


@pytest.mark.parametrize(("other", "most"), [("GMH_AT2", 2.0), ("HR_S60", 20.0)], ids=["scanner", "staining"])
def test_slides_are_registered_but_not_equal(other: str, most: float, batches: dict[str, TileBatch]) -> None:
    grey = {name: batches[name].pixels.mean(axis=3) for name in ("GMH_S60", other)}
    shifts = [
        np.hypot(*phase_cross_correlation(grey["GMH_S60"][row], grey[other][row], normalization=None)[0])
        for row in range(0, 256, 8)
    ]
    assert np.median(shifts) <= most
    colours = [batches[name].pixels.mean(axis=(1, 2)) for name in ("GMH_S60", other)]
    assert np.abs(colours[0] - colours[1]).mean() > 5


@pytest.mark.parametrize(
    ("name", "colour", "contrast", "edges", "green"),
    [
        ("GMH_S60", (162.0, 133.5, 183.3), (41.4, 48.1, 35.9), 5.70, (113, 127, 123, 127, 128, 116, 113, 54)),
        ("GMH_AT2", (179.5, 126.7, 160.9), (50.4, 61.4, 45.7), 9.39, (100, 116, 112, 116, 117, 103, 98, 37)),
        ("HR_S60", (138.0, 109.6, 154.5), (49.9, 56.0, 49.0), 6.62, (83, 76, 85, 91, 99, 76, 71, 23)),
    ],
)
def test_a_revision_keeps_its_pixels(
    name: str,
    colour: tuple[float, ...],
    contrast: tuple[float, ...],
    edges: float,
    green: tuple[float, ...],
    batches: dict[str, TileBatch],
) -> None:
    """Results say ``demo@1``: other pixels are another revision. Libraries may round a little otherwise."""
    assert DEMO.revision == "1"
    pixels = batches[name].pixels
    np.testing.assert_allclose(pixels.mean(axis=(0, 1, 2)), colour, atol=0.2)
    np.testing.assert_allclose(pixels.std(axis=(0, 1, 2)), contrast, atol=0.2)
    tile = pixels[128].astype(np.float64)
    assert np.abs(np.diff(tile, axis=0)).mean() == pytest.approx(edges, abs=0.1)
    blocks = tile[..., 1].reshape(8, 28, 8, 28).mean(axis=(1, 3))
    np.testing.assert_allclose(np.diagonal(blocks), green, atol=1)


def test_the_tissue_travels_with_the_package(tmp_path: Path, batches: dict[str, TileBatch]) -> None:
    shutil.copytree(PACKAGE, tmp_path / "plismbench", ignore=shutil.ignore_patterns("__pycache__"))
    code = (
        "import plismbench, zlib; from plismbench.dataset import Slide; from plismbench.tiles.demo import DemoTiles;"
        "(batch,) = DemoTiles().batches(Slide('HR', 'S60'), 256);"
        "print(plismbench.__file__, zlib.crc32(batch.pixels.tobytes()))"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd="/", env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    assert Path(answer[0]).is_relative_to(tmp_path)
    assert int(answer[1]) == zlib.crc32(batches["HR_S60"].pixels.tobytes())
