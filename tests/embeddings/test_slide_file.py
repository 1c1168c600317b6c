import numpy as np
import polars as pl
import pytest
from stores import SLIDES, make_vectors, make_xy

from plismbench.embeddings.slide_file import Embeddings, read_metadata, read_slide, write_slide
from plismbench.errors import CorruptFile, InvalidInput, NonFiniteValue, ShapeMismatch

SLIDE = SLIDES[0]


def test_a_file_has_what_was_written_and_what_made_it(tmp_path):
    path, hint = tmp_path / "one.parquet", "again"
    embeddings = Embeddings(SLIDE, make_xy(30), make_vectors()[SLIDE])
    write_slide(path, embeddings, {"slide": "GM_AT2", "content": embeddings.digest()})
    metadata, xy, vectors = read_slide(path, hint=hint)
    assert metadata == read_metadata(path, hint=hint) == {"slide": "GM_AT2", "content": embeddings.digest()}
    np.testing.assert_array_equal(xy, embeddings.xy)
    np.testing.assert_array_equal(vectors.view(np.uint16), embeddings.vectors.view(np.uint16))


@pytest.mark.parametrize("read", [read_slide, read_metadata])
def test_what_is_no_such_file_is_named_with_what_to_do(tmp_path, read):
    path = tmp_path / "one.parquet"
    pl.DataFrame({"x": [1], "y": [1], "vector": [[1.0]]}).write_parquet(path)
    with pytest.raises(CorruptFile, match=r"one\.parquet is damaged") as caught:
        read(path, hint="again")
    assert caught.value.hint == "again"


def test_embeddings_check_themselves():
    good = np.zeros((4, 2), np.float16)
    xy = make_xy(4)
    for value, words in ((np.nan, "NaN"), (-np.inf, "a value beyond 65,504, the largest of float16")):
        bad = good.copy()
        bad[2, 1] = value
        with pytest.raises(NonFiniteValue, match=rf"GM_AT2, tile \(0, 2\), holds {words}\."):
            Embeddings(SLIDE, xy, bad)
    with pytest.raises(ShapeMismatch, match="float32"):
        Embeddings(SLIDE, xy, good.astype(np.float32))
    with pytest.raises(ShapeMismatch, match="int64"):
        Embeddings(SLIDE, xy.astype(np.int64), good)
    for wrong in (xy[[0, 2, 1, 3]], xy[[0, 1, 1, 3]]):
        with pytest.raises(InvalidInput, match="order, or stand twice: row 2"):
            Embeddings(SLIDE, wrong, good)
