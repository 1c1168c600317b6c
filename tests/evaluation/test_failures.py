from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from stores import make_dataset, make_store, make_vectors, make_xy

from plismbench.dataset import Slide
from plismbench.errors import InvalidInput, Unavailable, UnknownName
from plismbench.evaluation.evaluation import plan_evaluation
from plismbench.evaluation.failures import find_failures, pair_named
from plismbench.pairs import Axis, SlidePair
from plismbench.results.result import read_results
from plismbench.tiles.source import TileBatch
from plismbench.workspace import Existing, Workspace

DATASET = make_dataset()
PAIR = SlidePair(Slide("GM", "AT2"), Slide("HR", "AT2"))


class Pixels:
    """Every pixel of tile i is i on AT2 and 100 + i on P."""

    def pick(self, slide, rows):
        values = np.array(rows) + (100 if slide.scanner == "P" else 0)
        pixels = np.broadcast_to(values[:, None, None, None], (len(rows), 224, 224, 3)).astype(np.uint8)
        return TileBatch(slide, make_xy(30)[list(rows)], pixels)


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setattr("plismbench.evaluation.failures.tiles_at_hand", lambda *_: Pixels())
    return Workspace(tmp_path, "tiny")


def evaluated(workspace, n_tiles=20):
    noise = {slide: make_vectors(seed=seed)[slide] for seed, slide in enumerate(DATASET.slides)}
    store = make_store(workspace.embeddings("noise"), noise, name="noise")
    plan = plan_evaluation(
        store, DATASET, DATASET.slides, workspace, n_tiles=n_tiles, ks=(1, 5), engine_name="exact", memory=10**9,
        threads=1, existing=Existing.SKIP,
    )  # fmt: skip
    list(plan.evaluate())
    (result,) = read_results(workspace)
    return store, result


def test_the_hardest_pair_of_each_axis_is_shown(workspace):
    _, result = evaluated(workspace)
    scanners, stainings = find_failures([result], DATASET, workspace, None)
    assert (scanners.axis, stainings.axis) == (Axis.SCANNER, Axis.STAINING)
    for found in (scanners, stainings):
        of_group = result.pairs.filter(pl.col("group") == str(found.axis.group))
        if found.axis is Axis.SCANNER:  # the only two scanners
            assert found.accuracy == of_group["top_5"].min()
        else:
            codes = sorted((found.pair.a.staining, found.pair.b.staining))
            (median,) = result.summary.filter(
                pl.col("group") == f"staining {codes[0]}-{codes[1]}", pl.col("metric") == "top_5"
            )["median"]
            groups = result.summary.filter(pl.col("group").str.starts_with("staining "), pl.col("metric") == "top_5")
            assert median == groups["median"].min()
        assert found.problem == ""
        assert (found.k, found.signature) == (5, result.run.signature)


def test_tiles_are_those_of_the_subset_and_cosines_those_of_the_vectors(workspace):
    store, result = evaluated(workspace)
    (found,) = find_failures([result], DATASET, workspace, PAIR)
    vectors = {slide: store.read(slide).vectors.astype(np.float64) for slide in (PAIR.a, PAIR.b)}
    subset = np.random.default_rng(42).choice(30, 20, replace=False)

    def cosine(one, other):
        u, v = (vectors[tile.slide][int(tile.pixels[0, 0, 0])] for tile in (one, other))
        return u @ v / np.linalg.norm(u) / np.linalg.norm(v)

    (query,) = found.queries  # 30 tiles are one block
    assert (query.tile.slide, query.counterpart.slide) == (PAIR.a, PAIR.b)
    assert query.tile.xy == query.counterpart.xy
    assert query.n_candidates == 39
    for tile in (query.counterpart, *query.found):
        place = int(tile.pixels[0, 0, 0])
        assert place in subset
        assert tile.xy == tuple(make_xy(30)[place])
        assert tile.cosine == pytest.approx(cosine(query.tile, tile), abs=1e-12)
    others = sorted(
        (cosine(query.tile, tile) for slide in vectors for tile in [
            query.tile._replace(slide=slide, pixels=np.full((1, 1, 1), place)) for place in subset
        ] if tile.pixels[0, 0, 0] != query.tile.pixels[0, 0, 0]),
        reverse=True,
    )  # fmt: skip
    assert [tile.cosine for tile in query.found] == pytest.approx(others[:3], abs=1e-12)
    assert query.rank == 1 + sum(other >= query.counterpart.cosine for other in others) > 5
    (again,) = find_failures([result], DATASET, workspace, PAIR)
    assert repr(again) == repr(found)


def test_what_is_lacking_is_a_line(workspace, monkeypatch):
    store, result = evaluated(workspace)

    def problem():
        (found,) = find_failures([result], DATASET, workspace, PAIR)
        assert found.queries == ()
        return found.problem

    other = Slide("GM", "Q")
    (found,) = find_failures([result], DATASET, workspace, SlidePair(PAIR.a, other))
    assert found.problem == "This result does not compare GM_AT2 with GM_Q."

    class Elsewhere(Pixels):
        def pick(self, slide, rows):
            batch = super().pick(slide, rows)
            return replace(batch, xy=batch.xy + np.int32(1))

    monkeypatch.setattr("plismbench.evaluation.failures.tiles_at_hand", lambda *_: Elsewhere())
    assert problem() == "The tiles of GM_AT2 that are at hand are not those that were embedded."

    def absent(*_):
        raise Unavailable("There are no tiles.")

    monkeypatch.setattr("plismbench.evaluation.failures.tiles_at_hand", absent)
    assert problem() == "There are no tiles."
    values = store.read(PAIR.a)
    replace(store, digests={PAIR.a: "extracted"}).write(values)
    monkeypatch.setattr("plismbench.evaluation.failures.slide_digests", lambda *_: {PAIR.a: "replaced since"})
    assert problem().startswith("The files of GM_AT2 are not those that the vectors in ")
    store.write(replace(values, vectors=-values.vectors))
    assert problem().startswith("The vectors of 'noise' are not those of its result any more.")
    (store.folder / "manifest.json").unlink()
    assert problem().startswith("There are no vectors of 'noise' here; of an added submission there never are")


@pytest.mark.parametrize(
    ("names", "error", "words"),
    [
        (["GM_AT2", "GM_X"], UnknownName, "GM_X"),
        (["GM_AT2"], InvalidInput, "A pair is two different slides, such as GMH_AT2,HR_AT2; got GM_AT2"),
        (["GM_AT2", "GM_AT2"], InvalidInput, "two different slides"),
        (["all", "GM_AT2"], InvalidInput, "two different slides"),
        ([], InvalidInput, "two different slides"),
    ],
)
def test_a_pair_is_two_slides(names, error, words):
    with pytest.raises(error, match=words):
        pair_named(DATASET, names)
    assert pair_named(DATASET, ["HR_AT2", "GM_AT2"]) == PAIR
