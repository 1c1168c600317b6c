import dataclasses

import polars as pl
from synthetic_results import make_result

from plismbench.reporting.slides import slide_notes
from plismbench.results.aggregation import PAIR

COPIED = pl.concat_str(PAIR, separator=" ") == "GIV AT2 GIV P"


def with_pairs(result, **columns):
    return dataclasses.replace(result, pairs=result.pairs.with_columns(**columns))


def test_nothing_is_said_of_usual_results():
    assert slide_notes([]) == []
    assert slide_notes([make_result("a"), make_result("b")]) == []


def test_each_doubt_is_one_sentence_with_how_many_models_say_so():
    usual = make_result("usual")
    copied = with_pairs(usual, centred_cosine=pl.when(COPIED).then(1.0).otherwise("centred_cosine"))
    one = "GIV_AT2, GIV_P have the same vectors: are they copies?"
    assert slide_notes([copied]) == [one]
    own = pl.col("staining_a") == pl.col("staining_b")
    of_slide = [(pl.col(f"staining_{side}") == "GIV") & (pl.col(f"scanner_{side}") == "P") for side in "ab"]
    with_gm = pl.any_horizontal(pl.col("staining_a", "staining_b") == "GM")
    misnamed = with_pairs(
        usual,
        top_10=pl.when(pl.any_horizontal(of_slide) & own & ~COPIED).then(0.05)
        .when(pl.any_horizontal(of_slide) & with_gm).then(0.9)
        .when(COPIED).then(0.05).otherwise("top_10"),
    )  # fmt: skip
    lost = with_pairs(usual, top_10=pl.when(pl.any_horizontal(of_slide)).then(0.0).otherwise(0.9))
    alone = "GIV_P matches none of the others, which match one another: is it registered, is it in focus?"
    assert slide_notes([lost]) == [alone]
    other = "GIV_P is more like the slides of GM than those of GIV on every other scanner: is its name right?"
    assert slide_notes([misnamed]) == [other]
    assert slide_notes([usual, copied, misnamed, misnamed]) == [f"{other} (2 of 4 models)", f"{one} (1 of 4 models)"]
