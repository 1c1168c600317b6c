import dataclasses

import numpy as np
import pytest
from plism_benchmark_features import write_features
from stores import SLIDES, make_dataset, make_store, make_vectors, make_xy

from plismbench.embeddings.store import EmbeddingStore
from plismbench.errors import AlreadyExists, CorruptFile, FingerprintMismatch, MissingEmbeddings
from plismbench.extraction.importing import plan_import
from plismbench.extractors.spec import Precision
from plismbench.tiles.ids import ids_sha256
from plismbench.workspace import Existing, Workspace


@pytest.fixture
def folder(tmp_path):
    write_features(tmp_path / "features", make_vectors(), make_xy(30))
    return tmp_path / "features"


def plan(tmp_path, folder, name="theirs", dataset=None, slides=SLIDES, existing=Existing.SKIP):
    workspace = Workspace(tmp_path / "root", "tiny")
    dataset = dataset or make_dataset()
    return plan_import(folder, name, dataset, slides, workspace, precision=Precision.FP16, existing=existing)


def test_every_vector_is_taken_over_and_the_manifest_says_from_where(tmp_path, folder):
    assert list(plan(tmp_path, folder).run()) == list(SLIDES)
    store = EmbeddingStore.open(tmp_path / "root/tiny/embeddings/theirs")
    for slide, vectors in make_vectors().items():
        np.testing.assert_array_equal(store.read(slide).vectors, vectors)
    assert store.manifest.origin == f"features.npy of plism-benchmark in {folder}"
    assert (store.manifest.dim, store.manifest.precision) == (8, "fp16")
    again = plan(tmp_path, folder)
    assert (again.files, again.skipped) == ({}, SLIDES)
    with pytest.raises(AlreadyExists, match="'theirs' has 6 of these slides already: GM_AT2"):
        plan(tmp_path, folder, existing=Existing.ERROR)
    assert len(plan(tmp_path, folder, existing=Existing.REPLACE).files) == 6


def test_the_folder_of_all_extractors_will_do_and_so_will_one_that_was_moved(tmp_path, folder):
    assert len(list(plan(tmp_path, folder, "features", slides=SLIDES[:2]).run())) == 2
    assert len(list(plan(tmp_path, folder.parent, "features", slides=SLIDES[:3]).run())) == 1
    (tmp_path / "link").symlink_to(folder)
    assert len(list(plan(tmp_path, tmp_path / "link", "features", slides=SLIDES[:4]).run())) == 1
    (tmp_path / "link").unlink()
    folder.rename(tmp_path / "moved")
    assert len(list(plan(tmp_path, tmp_path / "moved", "features").run())) == 2


def test_two_models_do_not_become_one_slide_by_slide(tmp_path, folder):
    list(plan(tmp_path, folder, slides=SLIDES[:2]).run())
    others = dict(list(make_vectors(seed=1).items())[2:])
    write_features(tmp_path / "others", others, make_xy(30))
    for existing in (Existing.SKIP, Existing.REPLACE):
        with pytest.raises(FingerprintMismatch, match=f"has 2 slides that .*others lacks: {SLIDES[0]}, {SLIDES[1]}"):
            plan(tmp_path, tmp_path / "others", slides=SLIDES[2:], existing=existing)


def test_a_registered_name_keeps_what_is_known_of_it(tmp_path):
    slides = SLIDES[:1]
    write_features(tmp_path / "features", {slides[0]: np.ones((30, 768))}, make_xy(30))
    told = plan(tmp_path, tmp_path / "features", "h0-mini", slides=slides).store.manifest
    assert (told.extractor["title"], told.fingerprint[:9]) == ("H0-Mini", "imported-")
    assert told.extractor["n_params"] > 80_000_000


def test_a_folder_that_lacks_slides_is_refused_and_fewer_can_be_asked_for(tmp_path, folder):
    (folder / "HR_P_to_GMH_S60.tif" / "features.npy").unlink()
    with pytest.raises(MissingEmbeddings, match="lacks 1 of 6 slides: HR_P") as caught:
        plan(tmp_path, folder)
    assert "--slides" in caught.value.hint
    assert not (tmp_path / "root").exists()
    assert len(plan(tmp_path, folder, slides=SLIDES[:2]).files) == 2


def test_another_number_of_tiles_is_refused(tmp_path, folder):
    with pytest.raises(CorruptFile, match="has 30 tiles; a slide of 'tiny' has 31"):
        list(plan(tmp_path, folder, dataset=make_dataset(tiles=31)).run())
    assert not list((tmp_path / "root").rglob("*.parquet"))


def test_other_tiles_than_those_of_the_data_set_are_refused(tmp_path, folder):
    ids = [f"tile_16_{x}_{y}" for x, y in make_xy(30)]
    right = dataclasses.replace(make_dataset(), tiles_sha256=ids_sha256(ids))
    wrong = dataclasses.replace(make_dataset(), tiles_sha256=ids_sha256(ids[::-1]))
    with pytest.raises(CorruptFile, match=r"GM_AT2 in .* has other tiles than Tiny"):
        list(plan(tmp_path, folder, dataset=wrong).run())
    assert len(list(plan(tmp_path, folder, dataset=right).run())) == 6


def test_vectors_extracted_here_are_not_mixed_with_imported_ones(tmp_path, folder):
    make_store(tmp_path / "root/tiny/embeddings/theirs", make_vectors(), name="theirs", precision="fp16")
    with pytest.raises(FingerprintMismatch, match="extractor theirs"):
        plan(tmp_path, folder)


def test_other_vectors_are_not_mixed_in_but_may_replace_the_whole(tmp_path, folder):
    list(plan(tmp_path, folder, slides=SLIDES[:2]).run())
    write_features(tmp_path / "second", make_vectors(seed=1), make_xy(30))
    with pytest.raises(FingerprintMismatch, match="The files of GM_AT2, GM_P are not those") as no:
        plan(tmp_path, tmp_path / "second")
    assert "Import these slides again with --existing replace" in no.value.hint
    with pytest.raises(FingerprintMismatch, match="The files of GM_P are not those"):
        plan(tmp_path, tmp_path / "second", slides=SLIDES[:1], existing=Existing.REPLACE)
    replaced = plan(tmp_path, tmp_path / "second", existing=Existing.REPLACE)
    slides = replaced.run()
    next(slides)
    assert [slide for slide in SLIDES if replaced.store.has(slide)] == [SLIDES[0]]  # nothing of the first is left
    assert len(list(slides)) == 5
    store = EmbeddingStore.open(replaced.store.folder)
    assert store.manifest.origin.endswith("second")
    np.testing.assert_array_equal(store.read(SLIDES[0]).vectors, make_vectors(seed=1)[SLIDES[0]])
    write_features(tmp_path / "wider", make_vectors(dim=9), make_xy(30))
    with pytest.raises(FingerprintMismatch, match=r"has extractor theirs \(imported-8\), not theirs \(imported-9\)"):
        plan(tmp_path, tmp_path / "wider")
