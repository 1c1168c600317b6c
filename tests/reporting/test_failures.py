import base64
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from plismbench.dataset import Slide
from plismbench.evaluation.failures import Failures, Query, Tile
from plismbench.pairs import Axis, SlidePair
from plismbench.reporting.failures import failure_panels

A, B = Slide("GM", "AT2"), Slide("HR", "AT2")


def tile(slide, xy, tissue="skin", cosine=1.0, grey=0):
    return Tile(slide, xy, tissue, np.full((224, 224, 3), grey, np.uint8), cosine)


QUERY = Query(
    tile(A, (5, 5), grey=40), tile(B, (5, 5), cosine=0.5, grey=80), 1203, 16277,
    (tile(A, (5, 6), cosine=0.98, grey=120), tile(B, (2, 4), cosine=0.9, grey=160), tile(A, (90, 4), "liver", 0.8)),
)  # fmt: skip
FOUND = Failures("toy", "s", SlidePair(A, B), Axis.STAINING, 0, 10, 0.25, (QUERY,))


def test_a_strip_says_what_stands_beside_what():
    (panel,) = failure_panels([FOUND])
    assert (panel.model, panel.signature) == ("toy", "s")
    assert panel.title == "toy, hardest stainings: GM_AT2 against HR_AT2"
    assert panel.note == "Top-10 accuracy of this pair of slides: .250."
    (strip,) = panel.strips
    assert [(thumbnail.role, thumbnail.facts) for thumbnail in strip] == [
        ("query", ("GM_AT2", "skin")),
        ("counterpart", ("rank 1,203 of 16,277", "cosine .500", "HR_AT2")),
        ("found 1st", ("cosine .980", "GM_AT2", "1 tile away")),
        ("found 2nd", ("cosine .900", "HR_AT2", "3 tiles away")),
        ("found 3rd", ("cosine .800", "GM_AT2", "liver")),
    ]
    for thumbnail, grey in zip(strip, (40, 80, 120, 160, 0), strict=True):
        kind, _, data = thumbnail.source.partition(",")
        assert kind == "data:image/jpeg;base64"
        with Image.open(io.BytesIO(base64.b64decode(data))) as image:
            assert image.size == (112, 112)
            assert image.convert("L").getpixel((50, 50)) == pytest.approx(grey, abs=2)


def test_a_problem_is_told_and_a_pair_that_was_named_is_not_called_hardest():
    (panel,) = failure_panels([replace(FOUND, axis=None, queries=(), problem="There are no tiles.")])
    assert (panel.title, panel.note, panel.strips) == (
        "toy, GM_AT2 against HR_AT2", "No pictures: There are no tiles.", (),
    )  # fmt: skip
    (panel,) = failure_panels([replace(FOUND, n_alike=2)])
    assert panel.title == "toy, hardest stainings, with 2 more as hard: GM_AT2 against HR_AT2"
    (panel,) = failure_panels([replace(FOUND, queries=())])
    assert panel.note == "Top-10 accuracy of this pair of slides: .250. No tile that was looked at is missed."


def test_pictures_stay_within_the_budget_of_a_page():
    (whole,) = failure_panels([FOUND])
    size = sum(len(thumbnail.source) for thumbnail in whole.strips[0])
    panels = list(failure_panels([replace(FOUND, model=name) for name in "abc"], budget=2 * size))
    assert [len(panel.strips) for panel in panels] == [1, 1, 0]
    assert "--failures GM_AT2,HR_AT2" in panels[2].note
