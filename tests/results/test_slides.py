from itertools import product

import numpy as np
import polars as pl
import pytest
from synthetic_results import make_tables

from plismbench.dataset import Slide
from plismbench.pairs import SlidePair, slide_pairs
from plismbench.results.aggregation import PAIR
from plismbench.results.slides import Misfit, copies, medians_of_slides, misfits

SLIDES = tuple(Slide(*codes) for codes in product(("GIVH", "GM", "HRH", "MY"), ("AT2", "P", "S60", "SQ")))
SWAPPED = {("GIVH", "SQ"): "HRH", ("HRH", "SQ"): "GIVH"}


def pairs_of(same_section, other_section, slides=SLIDES, called=None):
    """Pairs of slides whose accuracy says only whether they show one section; ``called``: a slide's false staining."""
    called = called or {}
    rows = []
    for pair in slide_pairs(slides):
        true = [called.get((slide.staining, slide.scanner), slide.staining) for slide in (pair.a, pair.b)]
        value = same_section if true[0] == true[1] else other_section
        rows.append(dict(zip(PAIR, pair.codes, strict=True)) | {"cosine": 0.9, "top_10": value})
    return pl.DataFrame(rows)


@pytest.mark.parametrize(("same", "other"), [(0.864, 0.183), (0.95, 0.6), (0.054, 0.004)])
def test_two_swapped_slides_are_found_and_no_other(same, other):
    assert misfits(pairs_of(same, other), 10, 8_139) == ()
    found = misfits(pairs_of(same, other, called=SWAPPED), 10, 8_139)
    assert found == (
        Misfit(Slide("GIVH", "SQ"), "HRH", pytest.approx(other), pytest.approx(same)),
        Misfit(Slide("HRH", "SQ"), "GIVH", pytest.approx(other), pytest.approx(same)),
    )


def test_it_takes_every_other_scanner_and_two_at_least():
    pairs = pairs_of(0.8, 0.2, called=SWAPPED)
    one = pl.concat_str(PAIR, separator=" ") == "GIVH SQ HRH AT2"
    assert len(misfits(pairs, 10, 8_139)) == 2
    unsure = pairs.with_columns(top_10=pl.when(one).then(0.1).otherwise("top_10"))
    assert [found.slide for found in misfits(unsure, 10, 8_139)] == [Slide("HRH", "SQ")]
    of_three = [slide for slide in SLIDES if slide.scanner != "P"]
    assert len(misfits(pairs_of(0.8, 0.2, [s for s in of_three if s.scanner != "S60"], SWAPPED), 10, 8_139)) == 0
    assert len(misfits(pairs_of(0.8, 0.2, of_three, SWAPPED), 10, 8_139)) == 2


def test_a_small_difference_and_one_near_chance_say_nothing():
    assert misfits(pairs_of(0.31, 0.2, called=SWAPPED), 10, 8_139) == ()  # odds .45 and .25
    assert len(misfits(pairs_of(0.35, 0.2, called=SWAPPED), 10, 8_139)) == 2  # .54 and .25
    assert misfits(pairs_of(0.09, 0.02, called=SWAPPED), 10, 256) == ()  # chance is .0196
    assert len(misfits(pairs_of(0.1, 0.02, called=SWAPPED), 10, 256)) == 2
    assert misfits(pairs_of(0.0, 0.0), 10, 256) == ()


def test_pairs_without_a_number_are_left_out():
    pairs = pairs_of(0.8, 0.2, called=SWAPPED)
    none = pairs.with_columns(top_10=pl.lit(np.nan))
    assert misfits(none, 10, 8_139) == ()
    assert medians_of_slides(none, "top_10").is_empty()
    assert copies(none, 10) == ()
    some = pairs.with_columns(top_10=pl.when(pl.col("scanner_a") == "AT2").then(np.nan).otherwise("top_10"))
    assert [found.slide for found in misfits(some, 10, 8_139)] == [Slide("GIVH", "SQ"), Slide("HRH", "SQ")]


def test_no_slide_of_a_usual_result_is_in_doubt():
    pairs, _ = make_tables()
    assert misfits(pairs, 10, 8_139) == ()
    assert copies(pairs, 10) == ()


def test_copies_are_pairs_whose_every_tile_is_found_at_a_cosine_of_1():
    pairs = pairs_of(0.8, 0.2)
    same = pl.concat_str(PAIR, separator=" ") == "GM AT2 GM P"
    changed = pairs.with_columns(
        cosine=pl.when(same).then(1.0).otherwise("cosine"), top_10=pl.when(same).then(1.0).otherwise("top_10")
    )
    assert copies(changed, 10) == (SlidePair(Slide("GM", "AT2"), Slide("GM", "P")),)
    assert copies(pairs.with_columns(cosine=pl.lit(1.0), top_10=pl.lit(0.0)), 10) == ()  # one vector for every tile
    assert copies(pairs.with_columns(cosine=pl.lit(0.999), top_10=pl.lit(1.0)), 10) == ()  # a very robust model


def test_the_median_of_a_slide_is_that_of_its_pairs_on_either_side():
    pairs, _ = make_tables()
    medians = medians_of_slides(pairs, "cosine")
    assert len(medians) == 36
    for row in medians.iter_rows(named=True):
        slide = (row["staining"], row["scanner"])
        own = [p["cosine"] for p in pairs.iter_rows(named=True)
               if slide in ((p["staining_a"], p["scanner_a"]), (p["staining_b"], p["scanner_b"]))]  # fmt: skip
        assert len(own) == 35
        assert row["median"] == pytest.approx(np.median(own), abs=1e-12)
