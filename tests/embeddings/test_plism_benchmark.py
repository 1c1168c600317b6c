import numpy as np
import pytest
import torch
from plism_benchmark_features import write_features
from stores import SLIDES, make_vectors, make_xy
from torch import nn

from plismbench.dataset import Slide
from plismbench.embeddings.plism_benchmark import read_slide, slide_files
from plismbench.errors import CorruptFile, MissingEmbeddings, NonFiniteValue
from plismbench.extractors.inference.extractor import Extractor
from plismbench.extractors.spec import ExtractorSpec, Precision


class Gives(nn.Module):
    def __init__(self, vectors):
        super().__init__()
        self.vectors = vectors

    def forward(self, tiles):
        return self.vectors


@pytest.fixture
def vectors():
    return make_vectors()


def test_a_folder_is_read_in_the_order_of_the_tiles(tmp_path, vectors):
    write_features(tmp_path, vectors, make_xy(30), order=np.random.default_rng(0).permutation(30))
    (tmp_path / "logs").mkdir()
    files = slide_files(tmp_path)
    assert tuple(files) == SLIDES
    for slide, path in files.items():
        found = read_slide(path, slide)
        np.testing.assert_array_equal(found.embeddings.xy, make_xy(30))
        np.testing.assert_array_equal(found.embeddings.vectors, vectors[slide])
        assert found.levels.tolist() == [16] * 30


def test_numbers_are_sorted_as_numbers(tmp_path):
    xy = np.array([(100, 2), (9, 85), (9, 9), (10, 1)])
    write_features(tmp_path, {Slide("GM", "P"): np.arange(8).reshape(4, 2)}, xy)
    found = read_slide(tmp_path / "GM_P_to_GMH_S60.tif/features.npy", Slide("GM", "P")).embeddings
    assert found.xy.tolist() == [[9, 9], [9, 85], [10, 1], [100, 2]]
    assert found.vectors[:, 0].tolist() == [4, 2, 6, 0]


def test_a_folder_without_slides_is_refused(tmp_path):
    with pytest.raises(MissingEmbeddings, match=r"has no slides such as GMH_S60_to_GMH_S60\.tif/features\.npy"):
        slide_files(tmp_path)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (np.zeros((4, 3), np.float32), r"is \(4, 3\) float32; \(n_tiles, 3 \+ dim\)"),
        (np.zeros(4, np.float32), r"is \(4,\) float32"),
        (np.zeros((4, 9), np.int64), "int64"),
        (np.full((4, 9), 0.5, np.float32), "no level, x and y: they are not whole numbers"),
        (np.full((4, 9), np.nan, np.float32), "not whole numbers"),
    ],
)
def test_another_layout_is_refused(tmp_path, table, words):
    np.save(tmp_path / "features.npy", table)
    with pytest.raises(CorruptFile, match=words):
        read_slide(tmp_path / "features.npy", SLIDES[0])


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"hello", None])
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "features.npy"
    if content is None:
        np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)  # may run code: never loaded
    else:
        path.write_bytes(content)
    with pytest.raises(
        CorruptFile, match=r"features\.npy is not whole, or no array of numbers as numpy\.save writes it\. Ex"
    ):
        read_slide(path, SLIDES[0])


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(CorruptFile, match=r"Cannot read .*features\.npy: Is a directory\.$"):
        (tmp_path / "features.npy").mkdir()
        read_slide(tmp_path / "features.npy", SLIDES[0])


@pytest.mark.parametrize(("value", "words"), [(np.nan, "NaN"), (np.inf, "65,504"), (70_000, "65,504")])
def test_values_that_float16_cannot_hold_name_the_tile(tmp_path, value, words):
    values = np.ones((5, 4))
    values[3, 2] = value
    write_features(tmp_path, {SLIDES[0]: values}, make_xy(5))
    with pytest.raises(NonFiniteValue, match=rf"GM_AT2, tile \(0, 3\), holds .*{words}"):
        read_slide(slide_files(tmp_path)[SLIDES[0]], SLIDES[0])


@pytest.mark.parametrize("scale", [1e-3, 1e-5, 1e-6, 3e-7, 1e-7, 1e-8, 1e-30, 1e-44, 0])
def test_a_vector_too_near_0_is_refused_where_extraction_refuses_it(tmp_path, scale):
    values = np.ones((5, 64), np.float32)
    values[3] = np.random.default_rng(0).normal(size=64) * scale
    write_features(tmp_path, {SLIDES[0]: values}, make_xy(5))
    spec = ExtractorSpec(name="x", loader="a:b", dim=64)
    extractor = Extractor(spec, Gives(torch.from_numpy(values)), torch.device("cpu"), Precision.FP32)
    expected = extractor(np.zeros((5, 224, 224, 3), np.uint8))
    path = slide_files(tmp_path)[SLIDES[0]]
    assert np.isfinite(expected).all() == (scale in (1e-3, 1e-5, 0))
    if np.isfinite(expected).all():
        np.testing.assert_array_equal(read_slide(path, SLIDES[0]).embeddings.vectors, expected)
    else:
        with pytest.raises(NonFiniteValue, match=r"GM_AT2, tile \(0, 3\), is too near 0 for float16"):
            read_slide(path, SLIDES[0])


def test_a_tile_that_stands_twice_is_refused(tmp_path):
    write_features(tmp_path, {SLIDES[0]: np.ones((4, 4))}, np.array([(2, 1), (1, 1), (0, 7), (2, 1)]))
    with pytest.raises(CorruptFile, match=r"features\.npy has tile \(2, 1\) twice"):
        read_slide(slide_files(tmp_path)[SLIDES[0]], SLIDES[0])


def test_an_archive_of_arrays_and_two_folders_of_a_slide_are_refused(tmp_path):
    with (tmp_path / "features.npy").open("wb") as file:
        np.savez(file, a=np.ones(3))
    with pytest.raises(CorruptFile, match="is an archive of arrays"):
        read_slide(tmp_path / "features.npy", SLIDES[0])
    write_features(tmp_path, {SLIDES[0]: np.ones((2, 4))}, make_xy(2))
    (tmp_path / "GM_AT2_to_GM_P.tif").mkdir()
    (tmp_path / "GM_AT2_to_GM_P.tif" / "features.npy").write_bytes(b"")
    with pytest.raises(CorruptFile, match="has slide GM_AT2 twice"):
        slide_files(tmp_path)
