from dataclasses import replace
from hashlib import sha256

import pytest
from small_plism import SMALL

from plismbench.dataset import PLISM, Slide
from plismbench.errors import CorruptFile
from plismbench.tiles.ids import ids_sha256, require_count, require_tiles, slide_name, tile_xy


@pytest.mark.parametrize(
    ("slide_id", "name"),
    [
        ("GIVH_GT450_to_GMH_S60.tif", "GIVH_GT450"),
        ("GMH_S60", None),
        ("../GMH_S60_to_GMH_S60.tif", None),
        ("GMH_S60_to_../x.tif", None),
        ("GMH_S60_to_GMH_S60.tif\n", None),
        ("", None),
        (None, None),
    ],
)
def test_a_slide_is_known_by_its_id(slide_id: str | None, name: str | None) -> None:
    assert slide_name(slide_id) == name


@pytest.mark.parametrize(
    ("tile_id", "xy"), [("tile_16_257_116", (257, 116)), ("tile_16_8", None), ("tile_16_8_-1", None), (None, None)]
)
def test_a_tile_is_known_by_its_id(tile_id: str | None, xy: tuple[int, int] | None) -> None:
    assert tile_xy(tile_id) == xy


def test_a_hash_of_ids_depends_on_their_order() -> None:
    assert ids_sha256(["tile_16_8_20", "tile_16_9_8"]) == sha256(b"tile_16_8_20\ntile_16_9_8").hexdigest()
    assert ids_sha256(["tile_16_9_8", "tile_16_8_20"]) != ids_sha256(["tile_16_8_20", "tile_16_9_8"])


def test_only_the_tiles_that_a_data_set_declares_pass() -> None:
    ids = ["tile_16_8_20", "tile_16_9_8"]
    declared = replace(SMALL, tiles_sha256=ids_sha256(ids))
    require_tiles(declared, Slide("GM", "P"), ids, "a.h5")
    require_tiles(SMALL, Slide("GM", "P"), ["anything"], "a.h5")
    with pytest.raises(CorruptFile, match=r"Slide GM_P in a\.h5 has other tiles than Small PLISM"):
        require_tiles(declared, Slide("GM", "P"), ids[::-1], "a.h5")


def test_plism_declares_the_published_fingerprint_by_x_then_y() -> None:
    assert PLISM.tiles_sha256 == "34c3aec281adbea347ab53a0a89acec9eec971598f3b6e299f6ce0058abdbcc8"


def test_a_slide_with_too_few_tiles_or_too_many_is_refused_with_both_numbers():
    slide = Slide("GMH", "S60")
    require_count(slide, 16_278, 16_278, "here")
    for n_tiles, found in ((16_277, "16,277"), (16_279, "16,279")):
        with pytest.raises(CorruptFile, match=rf"Slide GMH_S60 has {found} tiles in here; expected 16,278\."):
            require_count(slide, n_tiles, 16_278, "here")
