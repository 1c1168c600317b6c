from itertools import product

import numpy as np
import polars as pl
import pytest
from synthetic_results import make_tables

from plismbench.dataset import Slide
from plismbench.pairs import slide_pairs
from plismbench.results.aggregation import PAIR
from plismbench.results.slides import Misfit, copies, medians_of_slides, misfits, stray

SLIDES = tuple(Slide(*codes) for codes in product(("GIVH", "GM", "HRH", "MY"), ("AT2", "P", "S60", "SQ")))
SWAPPED = {("GIVH", "SQ"): "HRH", ("HRH", "SQ"): "GIVH"}


def pairs_of(same_section, other_section, slides=SLIDES, called=None):
    """Pairs of slides whose accuracy says only whether they show one section; ``called``: a slide's false staining."""
    called = called or {}
    rows = []
    for pair in slide_pairs(slides):
        true = [called.get((slide.staining, slide.scanner), slide.staining) for slide in (pair.a, pair.b)]
        value = same_section if true[0] == true[1] else other_section
        rows.append(dict(zip(PAIR, pair.codes, strict=True)) | {"centred_cosine": 0.9, "top_10": value})
    return pl.DataFrame(rows)


@pytest.mark.parametrize(("same", "other"), [(0.864, 0.183), (0.95, 0.6), (0.054, 0.004)])
def test_two_swapped_slides_are_found_and_no_other(same, other):
    assert misfits(pairs_of(same, other), 10, 8_139) == ()
    found = misfits(pairs_of(same, other, called=SWAPPED), 10, 8_139)
    assert found == (
        Misfit(Slide("GIVH", "SQ"), "HRH"),
        Misfit(Slide("HRH", "SQ"), "GIVH"),
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


def test_a_small_difference_says_nothing():
    assert misfits(pairs_of(0.31, 0.2, called=SWAPPED), 10, 8_139) == ()  # odds .45 and .25
    assert len(misfits(pairs_of(0.35, 0.2, called=SWAPPED), 10, 8_139)) == 2  # .54 and .25
    assert misfits(pairs_of(0.05, 0.01, called=SWAPPED), 10, 256) == ()  # 3.8 standard deviations of 512 tiles
    assert len(misfits(pairs_of(0.05, 0.01, called=SWAPPED), 10, 1_024)) == 2
    assert misfits(pairs_of(1.0, 0.998, called=SWAPPED), 10, 8_139) != ()
    assert misfits(pairs_of(1.0, 0.998, called=SWAPPED), 10, 256) == ()
    assert misfits(pairs_of(0.0, 0.0), 10, 256) == misfits(pairs_of(1.0, 1.0), 10, 256) == ()


@pytest.mark.parametrize("level", [0.006, 0.1, 0.5, 0.99, 0.998])
def test_chance_names_no_slide(level):
    random = np.random.default_rng(0)
    slides = tuple(Slide(*codes) for codes in product("ABCDEFGHIJKLM", ("AT2", "P", "S60")))
    for _ in range(5):
        drawn = pairs_of(level, level, slides)
        drawn = drawn.with_columns(top_10=random.binomial(512, level, len(drawn)) / 512)
        assert misfits(drawn, 10, 256) == ()


def test_a_slide_or_a_staining_that_is_hard_to_match_is_none():
    pale = pairs_of(0.6, 0.6).with_columns(
        top_10=pl.when(pl.all_horizontal(pl.col("staining_a", "staining_b") == "HRH")).then(0.25).otherwise("top_10")
    )
    assert misfits(pale, 10, 8_139) == ()
    blurred = pl.any_horizontal(
        (pl.col(f"staining_{side}") == "HRH") & (pl.col(f"scanner_{side}") == "S60") for side in "ab"
    )
    far = pairs_of(0.864, 0.183).with_columns(top_10=pl.when(blurred).then(0.05).otherwise("top_10"))
    assert misfits(far, 10, 8_139) == ()


def test_a_staining_that_few_scanners_have_is_not_every_other():
    slides = tuple(slide for slide in SLIDES if (slide.staining, slide.scanner) != ("HRH", "AT2"))
    found = misfits(pairs_of(0.864, 0.183, slides, SWAPPED), 10, 8_139)
    assert [misfit.slide for misfit in found] == [Slide("HRH", "SQ")]  # GIVH_SQ was not seen beside HRH_AT2


def test_pairs_without_a_number_are_left_out():
    pairs = pairs_of(0.8, 0.2, called=SWAPPED)
    none = pairs.with_columns(top_10=pl.lit(np.nan))
    assert misfits(none, 10, 8_139) == ()
    assert medians_of_slides(none, "top_10").is_empty()
    assert copies(pairs.with_columns(centred_cosine=pl.lit(np.nan))) == ()
    assert misfits(pairs.clear(), 10, 8_139) == copies(pairs.clear()) == ()
    some = pairs.with_columns(top_10=pl.when(pl.col("scanner_a") == "AT2").then(np.nan).otherwise("top_10"))
    assert [found.slide for found in misfits(some, 10, 8_139)] == [Slide("GIVH", "SQ"), Slide("HRH", "SQ")]
    few = pairs.filter(pl.all_horizontal(pl.col("scanner_a", "scanner_b") != "S60"))
    assert len(misfits(few, 10, 8_139)) == 2
    rest = pl.concat_str(PAIR, separator=" ") == "GIVH AT2 GIVH P"  # all that GIVH has besides its slide of SQ
    unknown = few.with_columns(top_10=pl.when(rest).then(np.nan).otherwise("top_10"))
    assert [found.slide for found in misfits(unknown, 10, 8_139)] == [Slide("HRH", "SQ")]


def test_no_slide_of_a_usual_result_is_in_doubt():
    pairs, _ = make_tables()
    assert misfits(pairs, 10, 8_139) == ()
    assert stray(pairs, 10, 8_139) is None
    assert copies(pairs) == ()


def same(pairs, cosine, *names):
    both = [pl.concat_str(f"staining_{side}", f"scanner_{side}", separator="_").is_in(names) for side in "ab"]
    return pairs.with_columns(centred_cosine=pl.when(pl.all_horizontal(both)).then(cosine).otherwise("centred_cosine"))


def test_copies_have_a_cosine_of_1_when_centred_and_stand_together():
    pairs = pairs_of(0.8, 0.2)
    assert copies(same(pairs, 1.0, "GM_AT2", "GM_P")) == ((Slide("GM", "AT2"), Slide("GM", "P")),)
    assert copies(same(pairs, 1 - 1e-5, "GM_AT2", "GM_P")) == ()  # a very robust model
    two = same(same(pairs, 1.0, "GM_P", "MY_AT2", "GM_AT2"), 1 - 1e-9, "HRH_P", "HRH_SQ")
    assert [" ".join(map(str, group)) for group in copies(two)] == ["GM_AT2 GM_P MY_AT2", "HRH_P HRH_SQ"]


FOUR = tuple(Slide(*codes) for codes in product(("HE", "IHC"), ("Aperio", "Hama")))


def bad(pairs, value, **codes):
    """All pairs of the slides with these codes at a value."""
    of_side = [pl.all_horizontal(pl.col(f"{name}_{side}") == code for name, code in codes.items()) for side in "ab"]
    return pairs.with_columns(top_10=pl.when(pl.any_horizontal(of_side)).then(value).otherwise("top_10"))


@pytest.mark.parametrize("slides", [FOUR, SLIDES], ids=["4", "16"])
@pytest.mark.parametrize(("same", "other", "lost"), [(1.0, 1.0, 0.03), (0.9, 0.2, 0.02), (0.5, 0.3, 0.1)])
def test_a_slide_that_matches_none_is_found(slides, same, other, lost):
    pairs = pairs_of(same, other, slides)
    one = slides[-1]
    assert stray(pairs, 10, 256) is None
    assert stray(bad(pairs, lost, staining=one.staining, scanner=one.scanner), 10, 256) == one
    assert stray(bad(pairs, 0.4 * same, staining=one.staining, scanner=one.scanner), 10, 256) == (
        one if other > 0.8 * same else None
    )


@pytest.mark.parametrize("slides", [FOUR, SLIDES], ids=["4", "16"])
@pytest.mark.parametrize("axis", ["staining", "scanner"])
@pytest.mark.parametrize("among", [0.03, 1.0])
def test_a_scanner_or_a_staining_that_is_bad_makes_no_stray(slides, axis, among):
    code = getattr(slides[-1], axis)
    pairs = bad(pairs_of(1.0, 0.9, slides), 0.03, **{axis: code})
    both = pl.all_horizontal(pl.col(f"{axis}_{side}") == code for side in "ab")
    assert stray(pairs.with_columns(top_10=pl.when(both).then(among).otherwise("top_10")), 10, 256) is None


def test_a_stray_has_its_staining_and_its_scanner_among_the_others():
    lost = {"staining": "HE", "scanner": "Hama"}
    for slides in (FOUR[:3], FOUR[:2], [Slide("HE", scanner) for scanner in ("Aperio", "Hama", "Philips")]):
        assert stray(bad(pairs_of(1.0, 1.0, slides), 0.03, **lost), 10, 256) is None


def test_neither_chance_nor_two_lost_slides_nor_no_number_make_a_stray():
    lost = {"staining": "HE", "scanner": "Hama"}
    assert stray(bad(pairs_of(0.05, 0.05, FOUR), 0.02, **lost), 10, 256) is None  # 2.6 standard deviations
    assert stray(bad(pairs_of(0.05, 0.05, FOUR), 0.02, **lost), 10, 8_139) == Slide(**lost)
    two = bad(bad(pairs_of(1.0, 1.0), 0.03, staining="GM", scanner="P"), 0.03, staining="MY", scanner="SQ")
    assert stray(two, 10, 256) is None
    none = pairs_of(1.0, 1.0).with_columns(top_10=pl.lit(np.nan))
    assert stray(none, 10, 256) is stray(none.clear(), 10, 256) is None


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
