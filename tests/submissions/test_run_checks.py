import dataclasses

import pytest
from submission_files import SLIDES
from synthetic_results import CORES, make_result

from plismbench.embeddings.manifest import Manifest
from plismbench.errors import PlismbenchError
from plismbench.extractors.spec import ExtractorSpec
from plismbench.submissions.run_checks import check_run


def story(**changes):
    """A run, and the manifest that it should have."""
    run = make_result(slides=SLIDES, n_tiles=sum(CORES.values()), **changes).run
    told = {name: getattr(run, name) for name in ("extractor", "fingerprint", "dataset", "revision", "precision")}
    return run, Manifest(**told)


def test_one_story_holds():
    run, manifest = story()
    check_run(run, manifest, run.signature)


def with_spec(**changes):
    spec = make_result(slides=SLIDES).run.extractor | changes
    try:
        return {"extractor": spec, "fingerprint": ExtractorSpec(**spec).fingerprint()}
    except (PlismbenchError, TypeError, OverflowError):
        return {"extractor": spec}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"dataset": "camelyon"}, "It is of 'camelyon', someone's own slides; only results of plism, demo can be sent"),
        ({"slides": ("GM_AT2",)}, "two or more of 'plism'"),
        ({"slides": ("HR_P", "GM_P")}, "sorted choice"),
        ({"slides": ("GM_P", "GM_P")}, "sorted choice"),
        ({"slides": ("GM_P", "XX_P")}, "sorted choice"),
        ({"vectors": {"GM_P": "0" * 16}}, "vectors are of other slides than it compares"),
        ({"n_tiles": 0}, "Cannot evaluate 0 tiles"),
        ({"n_tiles": 99_999}, "a slide has 16,278"),
        ({"seed": 7}, "seed 7, not 42"),
        ({"ks": (10, 1)}, r"cut-offs are \(10, 1\), not sorted"),
        ({"ks": (1, 2_000)}, "2,?000"),
        ({"precision": "fp8"}, "precision is 'fp8', not one of"),
        ({"protocol": "mine-1"}, "protocol is 'mine-1', not one of plism-1, owkin-fp16"),
        ({"revision": "main|tiles:1"}, r"revision is 'main\|tiles:1'"),
        ({"tiles_commit": {"o/t": "main|k:1"}}, r"Its tiles are of commit 'main\|k:1' of 'o/t'"),
        ({"tiles_commit": {"../t/t": "a" * 40}}, "of '../t/t'"),
        ({"fingerprint": "0" * 16}, "fingerprint is not that of its extractor"),
        (with_spec(name="<script>"), "Its extractor is not valid"),
        (with_spec(colour="red"), "Its extractor is not valid"),
        (with_spec(options=5), "Its extractor is not valid"),
        (with_spec(dim="8"), "Its extractor is not valid"),
        (with_spec(title=["x"]), "title is text; got"),
        (with_spec(title="x" * 301), "title is longer than 300"),
        (with_spec(title="=HYPERLINK(1)"), r"title begins with one of = \+ - @, or cannot be printed: '=HYPERLINK"),
        (with_spec(license="@SUM(1)"), "license begins with one of"),
        (with_spec(organisation="a\u202eb"), r"organisation .* cannot be printed: 'a\\u202eb'"),
        (with_spec(source="a\nb"), "source .* cannot be printed"),
        (with_spec(n_params=-1), "number of parameters is -1"),
        (with_spec(n_params=10**400), "number of parameters is 10000"),
        (with_spec(mean=[10**400] * 3), "too large"),
        (with_spec(n_params="many"), "n_params is a whole number; got 'many'"),
        (with_spec(trained_on_plism="no"), "trained_on_plism is true or false; got 'no'"),
    ],
)
def test_what_cannot_be_is_refused(changes, words):
    run, _ = story()
    run = dataclasses.replace(run, **changes)
    told = {name: getattr(run, name) for name in ("extractor", "fingerprint", "dataset", "revision", "precision")}
    with pytest.raises(PlismbenchError, match=words):
        check_run(run, Manifest(**told), run.signature)


def test_the_seal_is_of_this_run():
    run, manifest = story()
    with pytest.raises(PlismbenchError, match="It is sealed as other, and its run is plism@main"):
        check_run(run, manifest, "other")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("extractor", {"name": "x", "dim": 8}),
        ("fingerprint", "x"),
        ("dataset", "demo"),
        ("revision", "2"),
        ("precision", "fp32"),
    ],
)
def test_the_manifest_is_of_this_run(name, value):
    run, manifest = story()
    with pytest.raises(PlismbenchError, match=f"manifest is of another {name}"):
        check_run(run, dataclasses.replace(manifest, **{name: value}), run.signature)


def test_the_manifest_may_have_tiles_of_more_repositories_and_not_of_other_commits():
    run, manifest = story(tiles_commit={"o/tiles": "a" * 40})
    grown = dataclasses.replace(manifest, tiles_commit={"o/tiles": "a" * 40, "o/h5": "b" * 40})
    check_run(run, grown, run.signature)
    for commits in ({}, {"o/tiles": "b" * 40}):
        with pytest.raises(PlismbenchError, match="tiles of another commit"):
            check_run(run, dataclasses.replace(manifest, tiles_commit=commits), run.signature)


def test_imported_vectors_are_no_submission():
    run, manifest = story()
    with pytest.raises(PlismbenchError, match="Imported vectors cannot be submitted") as raised:
        check_run(run, dataclasses.replace(manifest, origin="features.npy"), run.signature)
    assert raised.value.hint


def test_no_refusal_tells_the_fingerprint_that_would_pass():
    run, manifest = story(fingerprint="0" * 16)
    with pytest.raises(PlismbenchError, match="fingerprint is not that of its extractor") as raised:
        check_run(run, manifest, run.signature)
    assert ExtractorSpec(**run.extractor).fingerprint() not in str(raised.value)


def test_another_model_of_a_registered_name_is_refused():
    spec = ExtractorSpec(**make_result(slides=SLIDES).run.extractor | {"name": "h0-mini"})
    run, manifest = story(extractor=spec.as_dict(), fingerprint=spec.fingerprint())
    with pytest.raises(PlismbenchError, match="was not made by the registered model of that name"):
        check_run(run, manifest, run.signature)
