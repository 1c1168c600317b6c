import dataclasses
import json

import pytest

from plismbench.errors import InvalidInput
from plismbench.extractors.spec import ExtractorSpec, Pooling, Precision

SPEC = ExtractorSpec(name="toy", loader="a:b", dim=4, options={"depth": 3})


def test_it_is_plain_json_and_comes_back():
    told = json.loads(json.dumps(SPEC.as_dict()))
    assert ExtractorSpec(**told) == SPEC
    assert told["pooling"] == "output"


def test_words_and_lists_are_taken():
    spec = ExtractorSpec(name="x", loader="a:b", dim=4, pooling="cls+mean", precision="bf16", mean=[0, 0, 0])
    assert spec.pooling is Pooling.CLS_MEAN
    assert spec.precision is Precision.BF16
    assert spec.mean == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"}, {"loader": "a:c"}, {"dim": 5}, {"pooling": "cls"}, {"prefix_tokens": 1},
        {"image_size": 256}, {"mean": (0, 0, 0)}, {"std": (1, 1, 1)}, {"interpolation": "bilinear"},
        {"weights": "hf-hub:a/b"}, {"revision": "abc"}, {"options": {"depth": 4}},
    ],
)  # fmt: skip
def test_what_decides_a_vector_changes_the_fingerprint(change):
    assert dataclasses.replace(SPEC, **change).fingerprint() != SPEC.fingerprint()


@pytest.mark.parametrize(
    "change",
    [
        {"title": "T"}, {"organisation": "O"}, {"n_params": 3}, {"license": "MIT"}, {"gated": True}, {"source": "s"},
        {"precision": "fp32"}, {"trained_on_plism": True},
    ],
)  # fmt: skip
def test_what_is_for_people_does_not(change):
    assert dataclasses.replace(SPEC, **change).fingerprint() == SPEC.fingerprint()


def test_every_field_is_tried_above():
    assert len(dataclasses.fields(ExtractorSpec)) == 12 + 8


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "a b"}, "name may hold"),
        ({"name": "\x1b[31m"}, "name may hold"),
        ({"loader": "a.b"}, "'module:function'; got 'a.b'"),
        ({"dim": 0}, "dim is at least 1; got 0"),
        ({"pooling": "max"}, "pooling is one of output, cls, mean, cls.mean; got 'max'"),
        ({"precision": "fp8"}, "precision is one of"),
        ({"prefix_tokens": -1}, "prefix_tokens"),
        ({"image_size": 0}, "image_size"),
        ({"mean": (0, 0)}, "3 channels"),
        ({"mean": (0, 0, float("nan"))}, "mean is finite"),
        ({"std": (1, 0, 1)}, "std is above 0"),
        ({"interpolation": "lanczos"}, "bilinear or bicubic; got 'lanczos'"),
        ({"options": {"layer": object()}}, "plain JSON"),
    ],
)
def test_bad_values_are_refused(change, words):
    with pytest.raises(InvalidInput, match=words):
        dataclasses.replace(SPEC, **change)
