import errno
import shutil
from dataclasses import replace

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from stores import SLIDES, make_manifest, make_store, make_vectors, make_xy

from plismbench.embeddings.slide_file import Embeddings
from plismbench.embeddings.store import EmbeddingStore
from plismbench.errors import (
    CorruptFile,
    FingerprintMismatch,
    MissingEmbeddings,
    ShapeMismatch,
    StorageFailure,
)

SLIDE = SLIDES[0]


@pytest.fixture
def store(tmp_path):
    return make_store(tmp_path / "store", make_vectors())


def test_vectors_come_back_bit_for_bit(store):
    bits = np.arange(2**16, dtype=np.uint16).view(np.float16)
    values = bits[np.isfinite(bits)][:240].reshape(30, 8)
    store.write(Embeddings(SLIDE, make_xy(30), values))
    back = store.read(SLIDE)
    np.testing.assert_array_equal(back.vectors.view(np.uint16), values.view(np.uint16))
    np.testing.assert_array_equal(back.xy, make_xy(30))


def test_other_programs_read_the_file(store):
    table = pl.read_parquet(store.path(SLIDE))
    assert table.schema == {"x": pl.Int32, "y": pl.Int32, "vector": pl.Array(pl.Float16, 8)}
    np.testing.assert_array_equal(table["vector"].to_numpy(), store.read(SLIDE).vectors)


def test_the_same_vectors_give_the_same_bytes(store, tmp_path):
    again = make_store(tmp_path / "again", make_vectors())
    for slide in SLIDES:
        assert store.path(slide).read_bytes() == again.path(slide).read_bytes()


def test_a_store_opens_and_knows_its_slides(store):
    opened = EmbeddingStore.open(store.folder)
    assert opened == store
    assert all(opened.has(slide) for slide in SLIDES)
    opened.require(SLIDES)


def test_missing_slides_are_named(store):
    for slide in SLIDES[:2]:
        store.path(slide).unlink()
    with pytest.raises(MissingEmbeddings, match=r"'toy' lacks 2 of 6 slides: GM_AT2, GM_P\."):
        store.require(SLIDES)
    with pytest.raises(MissingEmbeddings, match="GM_AT2"):
        store.read(SLIDE)


def test_the_hint_for_data_of_ones_own_names_the_file_that_describes_them(tmp_path):
    manifest = replace(make_manifest(dataset="rescans"), dataset_option="/data/my slides/own.toml")
    with pytest.raises(MissingEmbeddings) as caught:
        EmbeddingStore.create(tmp_path, manifest).read(SLIDE)
    assert "`plismbench extract --model toy --dataset '/data/my slides/own.toml'`" in caught.value.hint


def test_a_description_that_moved_is_named_where_it_is(tmp_path):
    manifest = replace(make_manifest(dataset="rescans"), dataset_option="/old/own.toml")
    first, second = (Embeddings(slide, make_xy(30), vectors) for slide, vectors in list(make_vectors().items())[:2])
    EmbeddingStore.create(tmp_path, manifest).write(first)
    moved = replace(manifest, dataset_option="/new/own.toml", model_option="/new/net.toml")
    store = EmbeddingStore.create(tmp_path, moved)
    assert store.manifest.choice == "--model /new/net.toml --dataset /new/own.toml"
    store.write(second)
    assert EmbeddingStore.open(tmp_path).manifest == store.manifest


def test_nothing_is_written_before_the_first_slide(tmp_path):
    EmbeddingStore.create(tmp_path / "new", make_manifest())
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("keep", [0, 3, 100, -1, -200])
def test_a_truncated_file_is_named_and_the_next_step(store, keep):
    path = store.path(SLIDE)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CorruptFile, match=r"GM_AT2\.parquet is damaged") as caught:
        store.read(SLIDE)
    assert "--slides GM_AT2 --existing replace" in caught.value.hint
    assert "\n" not in str(caught.value)


def test_one_flipped_bit_is_noticed(store):
    path = store.path(SLIDE)
    content = bytearray(path.read_bytes())
    vectors = store.read(SLIDE).vectors.tobytes()
    content[content.find(vectors[64:96]) + 5] ^= 4
    path.write_bytes(content)
    with pytest.raises(CorruptFile, match="damaged"):
        store.read(SLIDE)


def test_a_file_of_another_store_is_refused(store, tmp_path):
    other = make_store(tmp_path / "other", make_vectors(), precision="fp16")
    shutil.copy(other.path(SLIDE), store.path(SLIDE))
    with pytest.raises(FingerprintMismatch, match=r"GM_AT2\.parquet has precision fp16, not fp32"):
        store.read(SLIDE)


def test_a_file_of_another_slide_is_refused(store):
    shutil.copy(store.path(SLIDES[1]), store.path(SLIDE))
    with pytest.raises(CorruptFile, match=r"GM_AT2\.parquet holds slide GM_P"):
        store.read(SLIDE)


def test_a_parquet_that_is_no_slide_is_refused(store):
    pl.DataFrame({"a": [1]}).write_parquet(store.path(SLIDE))
    with pytest.raises(CorruptFile):
        store.read(SLIDE)


def test_a_store_of_something_else_is_refused(store):
    with pytest.raises(FingerprintMismatch, match="precision fp32, not fp16") as caught:
        EmbeddingStore.create(store.folder, make_manifest(precision="fp16"))
    assert caught.value.hint == "Use another --root, or drop what is there with --existing replace."
    with pytest.raises(FingerprintMismatch, match=r"tiles tiny@1, not tiny@2\. Use another --root"):
        EmbeddingStore.create(store.folder, make_manifest(revision="2"))
    with pytest.raises(FingerprintMismatch, match="Its weights, settings or code were others: use another --root"):
        EmbeddingStore.create(store.folder, make_manifest(depth=3))
    assert EmbeddingStore.create(store.folder, make_manifest()) == store


def test_slides_made_from_other_files_are_named_and_what_does_not_say_passes(store):
    told = replace(store, digests={SLIDES[0]: "one", SLIDES[1]: "two", SLIDES[2]: "three"})
    for slide in SLIDES[:2]:
        told.write(store.read(slide))
    opened = EmbeddingStore.open(store.folder)
    assert opened.made_from(SLIDES) == {SLIDES[0]: "one", SLIDES[1]: "two"}
    opened.require_made_from(told.digests)
    with pytest.raises(FingerprintMismatch, match=r"The files of GM_P are not those that the vectors in .* were") as no:
        opened.require_made_from({SLIDES[0]: "one", SLIDES[1]: "other", SLIDES[3]: "four"})
    assert "Extract these slides again with --existing replace" in no.value.hint
    store.path(SLIDES[1]).write_bytes(b"nothing")
    with pytest.raises(CorruptFile, match="GM_P"):
        opened.require_made_from(told.digests)


def test_another_dim_than_declared_is_refused(store):
    with pytest.raises(ShapeMismatch, match="dim 9; 'toy' declares 8"):
        store.write(Embeddings(SLIDE, make_xy(3), np.zeros((3, 9), np.float16)))


def test_a_full_disk_leaves_what_was_there(store, monkeypatch):
    before = store.path(SLIDE).read_bytes()

    def write_some(table, where, **options):
        where.write_bytes(b"PAR1 and no more")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pq, "write_table", write_some)
    with pytest.raises(StorageFailure, match="disk is full"):
        store.write(Embeddings(SLIDE, make_xy(30), make_vectors(seed=9)[SLIDE]))
    assert store.path(SLIDE).read_bytes() == before
    assert len(list(store.folder.iterdir())) == len(SLIDES) + 1


def test_contents_tell_vectors_apart(tmp_path):
    vectors = make_vectors()
    store = make_store(tmp_path / "a", vectors)
    same, other = make_store(tmp_path / "b", vectors), make_store(tmp_path / "c", make_vectors(seed=1))
    assert store.contents(SLIDES) == same.contents(SLIDES[::-1]) != other.contents(SLIDES)
    assert store.contents(SLIDES) != store.contents(SLIDES[:3])
    store.path(SLIDES[1]).write_bytes(b"nothing")
    with pytest.raises(CorruptFile, match="GM_P"):
        store.contents(SLIDES)
