import dataclasses
import shutil

import pytest
from stores import SLIDES, make_manifest, make_store, make_vectors, make_xy

from plismbench.embeddings.opening import extracted_stores, open_for_writing
from plismbench.embeddings.slide_file import Embeddings
from plismbench.embeddings.store import EmbeddingStore
from plismbench.errors import (
    AlreadyExists,
    CorruptFile,
    DuplicateName,
    FingerprintMismatch,
    MissingEmbeddings,
    StorageFailure,
    UnknownName,
)
from plismbench.workspace import Existing, Workspace


@pytest.fixture
def folder(tmp_path):
    """A store of the first two slides."""
    vectors = make_vectors()
    return make_store(tmp_path / "store", {slide: vectors[slide] for slide in SLIDES[:2]}).folder


def test_slides_that_are_there_are_kept_or_done_again(folder):
    kept = open_for_writing(folder, make_manifest(), SLIDES[:3], Existing.SKIP)
    assert (kept.skipped, kept.todo, kept.store.replaces) == (SLIDES[:2], SLIDES[2:3], None)
    again = open_for_writing(folder, make_manifest(), SLIDES[:3], Existing.REPLACE)
    assert (again.skipped, again.todo, again.store.replaces) == ((), SLIDES[:3], None)
    with pytest.raises(AlreadyExists, match="'toy' has 2 of these slides already: GM_AT2, GM_P"):
        open_for_writing(folder, make_manifest(), SLIDES, Existing.ERROR)
    assert open_for_writing(folder, make_manifest(), SLIDES[2:], Existing.ERROR).todo == SLIDES[2:]


def test_vectors_of_something_else_go_only_as_a_whole(folder):
    other = make_manifest(precision="bf16")
    with pytest.raises(FingerprintMismatch, match="precision fp32, not bf16"):
        open_for_writing(folder, other, SLIDES, Existing.SKIP)
    with pytest.raises(FingerprintMismatch, match="would lose 1 slides that are not asked for: GM_P"):
        open_for_writing(folder, other, SLIDES[:1], Existing.REPLACE)
    whole = open_for_writing(folder, other, SLIDES, Existing.REPLACE)
    assert whole.todo == SLIDES
    assert EmbeddingStore.open(folder).manifest == make_manifest()  # a plan drops nothing
    assert len(list(folder.glob("*.parquet"))) == 2
    (folder / "efficiency.json").write_text("{}")
    whole = open_for_writing(folder, other, SLIDES, Existing.REPLACE)
    whole.store.write(Embeddings(SLIDES[3], make_xy(30), make_vectors()[SLIDES[3]]))
    assert EmbeddingStore.open(folder).manifest == other
    assert sorted(path.name for path in folder.iterdir()) == sorted([f"{SLIDES[3]}.parquet", "manifest.json"])
    whole.store.write(Embeddings(SLIDES[0], make_xy(30), make_vectors()[SLIDES[0]]))  # what is its own stays
    assert len(list(folder.glob("*.parquet"))) == 2


def test_who_is_second_writes_nothing(tmp_path):
    """Two commands that began at the same time: the folder is that of the first to write a slide."""
    slide, *others = SLIDES[:3]
    first, second = (make_manifest(precision=precision) for precision in ("fp16", "bf16"))
    plans = [open_for_writing(tmp_path, manifest, SLIDES, Existing.SKIP).store for manifest in (first, second)]
    plans[0].write(Embeddings(slide, make_xy(30), make_vectors()[slide]))
    for other in others:
        with pytest.raises(FingerprintMismatch, match="precision fp16, not bf16") as caught:
            plans[1].write(Embeddings(other, make_xy(30), make_vectors()[other]))
        assert "Another command writes there" in caught.value.hint
    replacing = [open_for_writing(tmp_path, manifest, SLIDES, Existing.REPLACE).store for manifest in
                 (second, make_manifest(precision="fp32"))]  # fmt: skip
    replacing[0].write(Embeddings(slide, make_xy(30), make_vectors()[slide]))
    with pytest.raises(FingerprintMismatch, match="precision bf16, not fp32"):
        replacing[1].write(Embeddings(slide, make_xy(30), make_vectors()[slide]))
    assert EmbeddingStore.open(tmp_path).manifest == second
    assert len(list(tmp_path.glob("*.parquet"))) == 1


def test_what_a_sibling_has_written_since_is_not_dropped(folder):
    """Where locks do not work, two workers may both see what is replaced."""
    other = make_manifest(precision="bf16")
    first, second = (open_for_writing(folder, other, SLIDES, Existing.REPLACE).store for _ in range(2))
    first.write(Embeddings(SLIDES[0], make_xy(30), make_vectors()[SLIDES[0]]))
    (folder / "manifest.json").write_text(second.replaces.manifest)  # as an outdated view has it
    second.write(Embeddings(SLIDES[2], make_xy(30), make_vectors()[SLIDES[2]]))
    assert sorted(path.stem for path in folder.glob("*.parquet")) == sorted(map(str, (SLIDES[0], SLIDES[2])))


def test_what_is_replaced_goes_without_its_manifest_too(folder):
    store = open_for_writing(folder, make_manifest(precision="bf16"), SLIDES, Existing.REPLACE).store
    (folder / "manifest.json").unlink()
    store.write(Embeddings(SLIDES[3], make_xy(30), make_vectors()[SLIDES[3]]))
    assert [path.stem for path in folder.glob("*.parquet")] == [str(SLIDES[3])]


def test_vectors_of_two_folders_are_not_mixed(tmp_path):
    manifests = [dataclasses.replace(make_manifest(), origin=origin) for origin in ("a", "b")]
    plans = [open_for_writing(tmp_path, manifest, SLIDES, Existing.SKIP).store for manifest in manifests]
    plans[0].write(Embeddings(SLIDES[0], make_xy(30), make_vectors()[SLIDES[0]]))
    with pytest.raises(FingerprintMismatch, match="holds vectors of a, not of b"):
        plans[1].write(Embeddings(SLIDES[1], make_xy(30), make_vectors()[SLIDES[1]]))


def test_who_writes_beside_another_forgets_no_commit(tmp_path):
    plans = [
        open_for_writing(tmp_path, make_manifest(), SLIDES, Existing.SKIP).store.with_tiles_of(commits)
        for commits in ({"org/tiles": "a" * 40}, {"org/h5": "b" * 40}, {"org/tiles": "c" * 40})
    ]
    for store, slide in zip(plans[:2], SLIDES, strict=False):
        store.write(Embeddings(slide, make_xy(30), make_vectors()[slide]))
    assert EmbeddingStore.open(tmp_path).manifest.tiles_commit == {"org/tiles": "a" * 40, "org/h5": "b" * 40}
    with pytest.raises(FingerprintMismatch, match="org/tiles at commit aaaaaaaaaaaa, not cccccccccccc"):
        plans[2].write(Embeddings(SLIDES[2], make_xy(30), make_vectors()[SLIDES[2]]))


def test_slides_that_stay_were_made_from_the_same_files(tmp_path):
    def write(slides, files, existing=Existing.SKIP):
        opened = open_for_writing(tmp_path, make_manifest(), slides, existing, dict(zip(SLIDES, files, strict=False)))
        for slide in opened.todo:
            opened.store.write(Embeddings(slide, make_xy(30), make_vectors()[slide]))
        return opened.todo

    write(SLIDES[:3], "abc")
    assert write(SLIDES[:4], "abcd") == SLIDES[3:4]
    with pytest.raises(FingerprintMismatch, match="The files of HR_AT2 are not those"):
        write(SLIDES[:3], "abx")
    with pytest.raises(FingerprintMismatch, match="The files of HR_AT2 are not those"):
        write(SLIDES[:1], "abx", Existing.REPLACE)  # whoever tells of the others wants them to fit
    assert write(SLIDES[2:3], "abx", Existing.REPLACE) == SLIDES[2:3]
    assert write(SLIDES[:3], "abx") == ()


def test_a_damaged_manifest_is_something_else(folder):
    (folder / "manifest.json").write_text("{")
    assert open_for_writing(folder, make_manifest(), SLIDES, Existing.REPLACE).store.replaces.manifest == "{"


def test_where_nothing_is_to_do_nothing_need_be_writable(folder, monkeypatch):
    def refuse(folder):
        raise StorageFailure(f"Cannot write {folder}.")

    monkeypatch.setattr("plismbench.embeddings.opening.require_writable", refuse)
    assert open_for_writing(folder, make_manifest(), SLIDES[:2], Existing.SKIP).todo == ()
    with pytest.raises(StorageFailure):
        open_for_writing(folder, make_manifest(), SLIDES[:3], Existing.SKIP)


def test_a_new_folder_is_empty_and_stays_so(tmp_path):
    opened = open_for_writing(tmp_path / "new", make_manifest(), SLIDES, Existing.ERROR)
    assert (opened.todo, opened.skipped, opened.store.replaces) == (SLIDES, (), None)
    assert not (tmp_path / "new").exists()


def test_stores_are_found_by_name_or_all_of_them(tmp_path):
    vectors = make_vectors()
    workspace = Workspace(tmp_path, "tiny")
    with pytest.raises(MissingEmbeddings, match=r"No embeddings of 'tiny' under .*\. Extract\."):
        extracted_stores(workspace, [], hint="Extract.")
    for name in ("toy", "timm:net"):
        make_store(workspace.embeddings(name), vectors, name=name)
    assert [store.manifest.name for store in extracted_stores(workspace, [], hint="")] == ["timm:net", "toy"]
    assert [store.manifest.name for store in extracted_stores(workspace, ["toy"], hint="")] == ["toy"]
    with pytest.raises(UnknownName, match=r"'timm:ne'\. Did you mean 'timm:net'\? Extract\."):
        extracted_stores(workspace, ["timm:ne"], hint="Extract.")


def test_a_copy_of_a_store_is_named_and_another_models_damage_is_no_hindrance(tmp_path):
    workspace = Workspace(tmp_path, "tiny")
    store = make_store(workspace.embeddings("toy"), make_vectors())
    shutil.copytree(store.folder, store.folder.with_name("toy.bak"))
    assert extracted_stores(workspace, ["toy"], hint="") == [store]
    for names in ([], ["toy.bak"]):
        with pytest.raises(DuplicateName, match=r"toy\.bak holds vectors of 'toy', whose own folder is 'toy'\."):
            extracted_stores(workspace, names, hint="")
    (store.folder.with_name("toy.bak") / "manifest.json").write_text("{")
    assert extracted_stores(workspace, ["toy"], hint="") == [store]
    with pytest.raises(CorruptFile):
        extracted_stores(workspace, [], hint="")
