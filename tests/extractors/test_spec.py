import dataclasses
import json
import pickle
from types import MappingProxyType

import pytest
from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

from plismbench.errors import InvalidInput
from plismbench.extractors.spec import ExtractorSpec, Pooling, Precision

SPEC = ExtractorSpec(name="toy", loader="a:b", dim=4, prefix_tokens=1, options={"depth": 3})


def test_it_is_plain_json_and_comes_back():
    told = json.loads(json.dumps(SPEC.as_dict()))
    assert ExtractorSpec(**told) == SPEC
    assert told["pooling"] == "output"


def test_a_spec_that_says_nothing_is_normalised_as_timm_and_torchvision_do_for_imagenet():
    assert (SPEC.mean, SPEC.std) == (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD)


def test_a_table_of_any_kind_is_plain_json_too():
    inner = MappingProxyType({"img_size": 256})
    spec = dataclasses.replace(SPEC, options=MappingProxyType({"depth": 3, "timm": inner}))
    assert spec.as_dict()["options"] == {"depth": 3, "timm": {"img_size": 256}}
    assert pickle.loads(pickle.dumps(spec)) == spec  # noqa: S301 - it travels to workers
    assert dataclasses.replace(SPEC, options=MappingProxyType({"depth": 3})) == SPEC


def test_words_and_lists_are_taken():
    spec = ExtractorSpec(name="x", loader="a:b", dim=4, pooling="cls+mean", prefix_tokens=1, precision="bf16",
                         mean=[0, 0, 0])  # fmt: skip
    assert spec.pooling is Pooling.CLS_MEAN
    assert spec.precision is Precision.BF16
    assert spec.mean == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"}, {"loader": "a:c"}, {"dim": 5}, {"pooling": "cls"}, {"prefix_tokens": 2},
        {"image_size": 256}, {"resize": 256}, {"mean": (0, 0, 0)}, {"std": (1, 1, 1)}, {"interpolation": "bilinear"},
        {"weights": "hf-hub:a/b"}, {"revision": "abc"}, {"options": {"depth": 4}},
    ],
)  # fmt: skip
def test_what_decides_a_vector_changes_the_fingerprint(change):
    assert dataclasses.replace(SPEC, **change).fingerprint() != SPEC.fingerprint()


@pytest.mark.parametrize(
    "change",
    [
        {"title": "T"}, {"organisation": "O"}, {"n_params": 3}, {"license": "MIT"}, {"gated": True}, {"source": "s"},
        {"precision": "fp32"}, {"trained_on_plism": True}, {"differs": ["mean"]},
    ],
)  # fmt: skip
def test_what_is_for_people_does_not(change):
    assert dataclasses.replace(SPEC, **change).fingerprint() == SPEC.fingerprint()


def own_files(folder, *, revision="1" * 64, code="2" * 64):
    adapts = {"weights": f"file:{folder}/base.pth", "revision": "3" * 64, "layers": ["x"], "scale": 1.0}
    return dataclasses.replace(
        SPEC, weights=f"file:{folder}/newest.pth", revision=revision, loader=f"{folder}/my_model.py:load",
        options={"adapts": adapts, "code": code},
    )  # fmt: skip


def test_files_count_by_their_hashes_and_are_recorded_without_their_folders():
    spec = own_files("/home/me")
    assert spec.fingerprint() == own_files("/mnt/copy").fingerprint() == spec.portable.fingerprint()
    assert "/home" not in json.dumps(spec.portable.as_dict())
    portable = spec.portable
    assert (portable.weights, portable.loader) == ("file:newest.pth", "my_model.py:load")
    assert portable.options["adapts"]["weights"] == "file:base.pth"
    for other in (own_files("/home/me", revision="4" * 64), own_files("/home/me", code="4" * 64)):
        assert other.fingerprint() != spec.fingerprint()
    assert dataclasses.replace(spec, loader="/home/me/my_model.py:other").fingerprint() != spec.fingerprint()


def test_a_file_without_a_hash_counts_by_its_place():
    here, there = (dataclasses.replace(SPEC, weights=f"file:/{folder}/x.pth") for folder in ("a", "b"))
    assert here.fingerprint() != there.fingerprint()
    assert here.portable == here
    assert SPEC.portable == SPEC


def test_every_field_is_tried_above():
    assert len(dataclasses.fields(ExtractorSpec)) == 13 + 9


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "a b"}, "name may hold"),
        ({"name": "с\u043elor"}, "name may hold up to 160 letters from a to z"),
        ({"name": "-x"}, "name may hold"),
        ({"name": "+x"}, "name may hold"),
        ({"name": "@x"}, "name may hold"),
        ({"name": "x" * 161}, "name may hold"),
        ({"name": "\x1b[31m"}, "name may hold"),
        ({"loader": "a.b"}, "'module:function'; got 'a.b'"),
        ({"dim": 0}, "dim is from 1 to 1,000,000; got 0"),
        ({"pooling": "max"}, "pooling is one of output, cls, mean, cls.mean; got 'max'"),
        ({"precision": "fp8"}, "precision is one of"),
        ({"prefix_tokens": -1}, "prefix_tokens"),
        ({"prefix_tokens": 0, "pooling": "cls"}, "pooling cls needs a class token, which prefix_tokens counts; got 0"),
        ({"prefix_tokens": 0, "pooling": "cls+mean"}, "pooling cls.mean needs a class token"),
        ({"image_size": 0}, "image_size"),
        ({"resize": 200}, "resize is 0, or from image_size 224 to 10,000; got 200"),
        ({"mean": (0, 0)}, "3 channels"),
        ({"mean": (0, 0, float("nan"))}, "mean is from 0 to 1"),
        (
            {"mean": (127.5, 127.5, 127.5)},
            r"mean is from 0 to 1, of pixels in .* \(divide what is of 0 to 255 by 255\)",
        ),
        ({"std": (58, 57, 57)}, "std is above 0 and up to 1, of pixels in"),
        ({"std": (1, 0, 1)}, "std is above 0"),
        ({"interpolation": "lanczos"}, "bilinear or bicubic; got 'lanczos'"),
        ({"options": {"layer": object()}}, "plain JSON"),
    ],
)
def test_bad_values_are_refused(change, words):
    with pytest.raises(InvalidInput, match=words):
        dataclasses.replace(SPEC, **change)


TOKENS = ExtractorSpec(name="t", loader="a:b", dim=4, pooling="cls", prefix_tokens=1, options={"img_size": 224},
                       n_params=3)  # fmt: skip


def test_another_pooling_is_another_extractor():
    both = TOKENS.variant(pooling=Pooling.CLS_MEAN)
    assert (both.name, both.dim, both.pooling) == ("t+cls+mean", 8, Pooling.CLS_MEAN)
    back = dataclasses.replace(both, name="t").variant(pooling=Pooling.MEAN)
    assert (back.name, back.dim) == ("t+mean", 4)
    assert len({spec.fingerprint() for spec in (TOKENS, both, back)}) == 3


def test_another_size_is_another_extractor():
    larger = TOKENS.variant(image_size=448, pooling=Pooling.MEAN)
    assert (larger.name, larger.image_size, larger.options) == ("t@448+mean", 448, {"img_size": 448})
    assert larger.n_params is None  # its position embeddings are others
    assert larger.differs == ("input_size",)
    dynamic = dataclasses.replace(TOKENS, options={"img_size": 224, "dynamic_img_size": True}, resize=256)
    larger = dynamic.variant(image_size=448)
    assert (larger.options, larger.resize, larger.n_params) == (dynamic.options, 0, 3)


def test_what_changes_nothing_has_no_second_name():
    assert TOKENS.variant(pooling=Pooling.CLS, image_size=224) is TOKENS


@pytest.mark.parametrize(("spec", "pooling"), [(SPEC, Pooling.CLS), (TOKENS, Pooling.OUTPUT)])
def test_vectors_are_not_pooled(spec, pooling):
    with pytest.raises(InvalidInput, match=f"{pooling} is not possible"):
        spec.variant(pooling=pooling)


def test_a_network_without_a_class_token_is_not_pooled_by_one():
    patches = dataclasses.replace(TOKENS, pooling=Pooling.MEAN, prefix_tokens=0)
    with pytest.raises(InvalidInput, match=r"'t\+cls\+mean': pooling cls\+mean needs a class token"):
        patches.variant(pooling=Pooling.CLS_MEAN)
