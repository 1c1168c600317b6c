import numpy as np
import pytest

from plismbench.dataset import DATASETS, DEMO, PLISM, RegisteredDataset, Slide, TileSubset, dataset_named
from plismbench.errors import InvalidInput, UnknownName


def test_plism_has_91_slides_of_16278_tiles():
    assert len(PLISM.slides) == len(PLISM.stainings) * len(PLISM.scanners) == 13 * 7
    assert PLISM.tiles_per_slide * len(PLISM.slides) == 1_481_298
    assert DEMO.slides == PLISM.slides
    assert set(DEMO.default_slides) < set(DEMO.slides)


def test_a_slide_reads_back_from_its_name():
    assert Slide.parse("GIVH_GT450") == Slide("GIVH", "GT450")
    assert str(Slide("GIVH", "GT450")) == "GIVH_GT450"


@pytest.mark.parametrize("name", ["GMH", "GMH_S60_x", "../GMH_S60", "GMH_", "G MH_S60", ""])
def test_what_is_no_slide_is_refused(name):
    with pytest.raises(InvalidInput):
        Slide.parse(name)


def names(slides):
    return [str(slide) for slide in slides]


def test_selection():
    assert PLISM.select() == PLISM.default_slides
    assert names(DEMO.select(["HR_P", "GMH_S60"])) == ["GMH_S60", "HR_P"]
    assert DEMO.select(["all"]) == DEMO.slides
    assert len(DEMO.select(scanners=["S60"])) == 13
    assert names(DEMO.select(stainings=["MY"], scanners=["S60", "P"])) == ["MY_P", "MY_S60"]


def test_excluded_slides_go_last():
    assert names(DEMO.select(["GMH_S60", "HR_P"], excluded=["HR_P"])) == ["GMH_S60"]
    assert len(PLISM.select(excluded=["GIVH_SQ", "HRH_SQ", "HRH_S60"])) == 88
    assert PLISM.select(scanners=["P"], excluded=["HR_S60"]) == PLISM.select(scanners=["P"])


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"slides": ["GMH_S61"]}, "slide of data set 'demo' named 'GMH_S61'. Did you mean 'GMH_S60'"),
        ({"stainings": ["gmh"]}, "staining of data set 'demo' named 'gmh'. Did you mean 'GMH'"),
        ({"excluded": ["HRH_S61"]}, "slide of data set 'demo' named 'HRH_S61'. Did you mean 'HRH_S60'"),
        ({"scanners": ["AT3"]}, "scanner of data set 'demo' named 'AT3'. Did you mean 'AT2'"),
    ],
)
def test_unknown_names_are_answered_with_the_closest(asked, words):
    with pytest.raises(UnknownName) as caught:
        DEMO.select(**asked)
    assert words in str(caught.value)


def test_an_empty_selection_is_refused():
    with pytest.raises(InvalidInput, match="No slide is left"):
        DEMO.select(["GMH_S60"], scanners=["P"])
    with pytest.raises(InvalidInput, match="No slide is left"):
        DEMO.select(["GMH_S60"], excluded=["GMH_S60"])


def test_data_sets_are_found_by_name():
    assert dataset_named("plism") is PLISM
    assert set(DATASETS) == {"plism", "demo"}
    with pytest.raises(UnknownName, match="Did you mean 'plism'"):
        dataset_named("plisma")


@pytest.mark.parametrize(
    "change",
    [
        {"slides": (Slide("A", "B"), Slide("A", "B"))},
        {"default_slides": (Slide("C", "D"),)},
        {"n_tiles": 11},
        {"n_tiles": 0},
    ],
)
def test_a_data_set_checks_itself(change):
    good = {"slides": (Slide("A", "B"),), "default_slides": (), "n_tiles": 10, "tiles_per_slide": 10}
    RegisteredDataset(name="x", title="x", revision="1", **good)
    with pytest.raises(InvalidInput, match="'x'"):
        RegisteredDataset(name="x", title="x", revision="1", **good | change)


@pytest.mark.parametrize("n_tiles", [460, 2_713, 8_139, 1_000])
def test_a_subset_is_the_published_draw(n_tiles):
    rows = TileSubset(n_tiles, 16_278).rows()
    expected = np.random.default_rng(42).choice(16_278, n_tiles, replace=False)
    assert sorted(expected) == rows.tolist()
    assert expected.tolist() == TileSubset(n_tiles, 16_278).drawn().tolist()
    assert rows.dtype == np.int64


def test_the_smallest_published_subset_lies_in_the_next():
    # PLISM.md: 460 ⊂ 2,713, a fact of the published index files.
    small, large = (set(TileSubset(n, 16_278).rows().tolist()) for n in (460, 2_713))
    assert small < large


def test_all_tiles_need_no_draw():
    assert TileSubset(16_278, 16_278).rows().tolist() == list(range(16_278))


def test_another_random_stream_is_noticed(monkeypatch):
    class OtherStream:
        def choice(self, total, n_tiles, replace):
            assert not replace
            return np.arange(total)[:n_tiles]

    monkeypatch.setattr(np.random, "default_rng", lambda _: OtherStream())
    with pytest.raises(InvalidInput, match="draws other tiles than the published 460-tile subset"):
        TileSubset(460, 16_278).rows()


@pytest.mark.parametrize("n_tiles", [0, 1, 257])
def test_impossible_subsets_are_refused(n_tiles):
    with pytest.raises(InvalidInput, match=f"evaluate {n_tiles} tiles: a slide has 256"):
        TileSubset(n_tiles, 256)
