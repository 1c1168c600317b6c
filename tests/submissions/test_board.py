import pytest
from submission_files import SLIDES, make_submission

from plismbench.errors import AlreadyExists, DuplicateName, StorageFailure
from plismbench.extractors.spec import ExtractorSpec
from plismbench.results.result import read_result
from plismbench.submissions.board import add
from plismbench.submissions.submission import unpack
from plismbench.workspace import Existing


@pytest.fixture
def submission(tmp_path):
    return make_submission(tmp_path)


@pytest.fixture
def submitted(tmp_path):
    """Makes one more, with other numbers than the first if its level is another."""

    def submit(name="toy", dim=8, **changes):
        spec = ExtractorSpec(name=name, loader="a:b", dim=dim)
        folder = tmp_path / "-".join(map(str, (name, dim, *changes)))
        folder.mkdir()
        told = {"extractor": spec.as_dict(), "fingerprint": spec.fingerprint()}
        return unpack(make_submission(folder, **told, **changes)[0])

    return submit


def test_a_result_that_is_half_replaced_is_none(submission, tmp_path, monkeypatch):
    found = unpack(submission[0])
    folder = add([found], tmp_path / "root", Existing.ERROR)[0].folder

    def full(path, manifest):
        raise StorageFailure("The disk is full.")

    monkeypatch.setattr("plismbench.submissions.board.write_manifest", full)
    with pytest.raises(StorageFailure):
        add([found], tmp_path / "root", Existing.REPLACE)
    assert not (folder / "run.json").exists()


def test_a_result_that_is_there_stays_unless_asked(submission, tmp_path):
    found = unpack(submission[0])
    folder = add([found], tmp_path / "root", Existing.ERROR)[0].folder
    before = (folder / "run.json").stat().st_mtime_ns
    with pytest.raises(AlreadyExists, match="There is a result of 'toy'"):
        add([found], tmp_path / "root", Existing.ERROR)
    (kept,) = add([found], tmp_path / "root", Existing.SKIP)
    assert (kept.folder, kept.added, kept.other, kept.copies) == (folder, False, "", ())
    assert (folder / "run.json").stat().st_mtime_ns == before
    (replaced,) = add([found], tmp_path / "root", Existing.REPLACE)
    assert (replaced.folder, replaced.added, replaced.other, replaced.copies) == (folder, True, "", ())
    assert (folder / "run.json").stat().st_mtime_ns > before


def test_nothing_is_added_if_one_has_no_place(submission, tmp_path):
    (tmp_path / "b").mkdir()
    found, other = unpack(submission[0]), unpack(make_submission(tmp_path / "b", name="other")[0])
    with pytest.raises(DuplicateName, match=r"These archives hold a result of 'toy' twice\. Name one"):
        add([found, other, found], tmp_path / "root", Existing.ERROR)
    assert not (tmp_path / "root").exists()
    add([other], tmp_path / "root", Existing.ERROR)
    with pytest.raises(AlreadyExists, match="There is a result of 'other'"):
        add([found, other], tmp_path / "root", Existing.ERROR)
    assert [folder.name for folder in (tmp_path / "root/plism/results").iterdir()] == ["other"]


def test_a_long_name_has_a_place(tmp_path):
    name = "hf-hub:" + "/" * 150
    archive, result = make_submission(tmp_path, name=name)
    (done,) = add([unpack(archive)], tmp_path / "root", Existing.ERROR)
    assert read_result(done.folder).run == result.run


@pytest.mark.parametrize("existing", Existing)
def test_another_model_of_the_same_name_is_told_from_an_update(submitted, tmp_path, existing):
    first, update, another = submitted(), submitted(level=0.6), submitted(dim=9, level=0.7)
    prints = [each.result.run.fingerprint for each in (first, another)]
    add([first], tmp_path / "root", Existing.ERROR)
    if existing is Existing.ERROR:
        with pytest.raises(AlreadyExists, match=r"There is a result of 'toy' in"):
            add([update], tmp_path / "root", existing)
        with pytest.raises(
            AlreadyExists, match="There is another model called 'toy' here: .* {}, .* {}".format(*prints)
        ):
            add([another], tmp_path / "root", existing)
        return
    told = [add([each], tmp_path / "root", existing)[0].other for each in (update, another)]
    assert told == ["", prints[0]]


def test_another_model_of_the_same_name_is_found_beside_its_place(submitted, tmp_path):
    add([submitted()], tmp_path / "root", Existing.ERROR)
    with pytest.raises(AlreadyExists, match="There is another model called 'toy' here"):
        add([submitted(dim=9, ks=(1, 5, 10))], tmp_path / "root", Existing.ERROR)


@pytest.mark.parametrize("existing", Existing)
def test_names_that_differ_by_case_are_refused(submitted, tmp_path, existing):
    upper, lower = submitted("TOY"), submitted()
    with pytest.raises(DuplicateName, match="'toy' and 'TOY' differ by the case of letters alone"):
        add([upper, lower], tmp_path / "root", existing)
    assert not (tmp_path / "root").exists()
    add([lower], tmp_path / "root", existing)
    with pytest.raises(DuplicateName, match="'TOY' and 'toy' differ"):
        add([upper], tmp_path / "root", existing)


def test_copies_are_named(submitted, tmp_path):
    vectors = {str(slide): f"{number:016d}" for number, slide in enumerate(sorted(map(str, SLIDES)))}
    others = dict.fromkeys(vectors, "f" * 16) | dict([next(iter(vectors.items()))])
    several = [
        submitted("a"),
        submitted("b"),  # the same pairs
        submitted("c", level=0.6, vectors=vectors),
        submitted("d", level=0.7, vectors=others),  # the same vectors of one slide
        submitted("e", level=0.8),
    ]
    assert [done.copies for done in add(several, tmp_path / "root", Existing.ERROR)] == [(), ("a",), (), ("c",), ()]
    assert add([submitted("f")], tmp_path / "root", Existing.ERROR)[0].copies == ("a", "b")
    assert add([submitted("a", level=0.9)], tmp_path / "root", Existing.REPLACE)[0].copies == ()


def test_a_damaged_result_of_ones_own_keeps_no_other_away(submission, tmp_path, submitted):
    folder = add([submitted("a")], tmp_path / "root", Existing.ERROR)[0].folder
    (folder / "pairs.parquet").write_bytes(b"")
    assert add([unpack(submission[0])], tmp_path / "root", Existing.ERROR)[0].copies == ()
