import numpy as np
import pytest

from plismbench.dataset import Slide
from plismbench.errors import ShapeMismatch
from plismbench.tiles.source import TileBatch

SLIDE = Slide("GMH", "S60")
XY = np.array([[0, 0], [0, 1], [4, 0]], dtype=np.int32)
PIXELS = np.zeros((3, 8, 6, 3), dtype=np.uint8)


def test_batch_is_as_long_as_its_tiles() -> None:
    assert len(TileBatch(SLIDE, XY, PIXELS)) == 3
    assert len(TileBatch(SLIDE, XY[:0], PIXELS[:0])) == 0


@pytest.mark.parametrize(
    "pixels",
    [PIXELS.astype(np.float32), PIXELS[0], PIXELS[..., :1], PIXELS.transpose(0, 3, 1, 2)],
    ids=["float", "one tile", "one channel", "channels first"],
)
def test_pixels_of_another_shape_or_type_are_refused(pixels: np.ndarray) -> None:
    with pytest.raises(ShapeMismatch, match=r"Tiles of GMH_S60 are \(n, height, width, 3\) uint8"):
        TileBatch(SLIDE, XY[: len(pixels)], pixels)


@pytest.mark.parametrize(
    "xy", [XY.astype(np.int64), XY[:2], XY[:, :1], XY.ravel()], ids=["int64", "too few", "x alone", "flat"]
)
def test_coordinates_of_another_shape_or_type_are_refused(xy: np.ndarray) -> None:
    with pytest.raises(ShapeMismatch, match=r"Coordinates of GMH_S60 are \(3, 2\) int32"):
        TileBatch(SLIDE, xy, PIXELS)
