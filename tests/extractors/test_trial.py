import dataclasses

import pytest
from checkpoints import SMALL, TIMM

from plismbench.errors import InvalidInput, ShapeMismatch
from plismbench.extractors.spec import ExtractorSpec, Pooling
from plismbench.extractors.trial import tried_tower

SPEC = ExtractorSpec(
    name="tiny", loader=TIMM, dim=24, pooling=Pooling.CLS_MEAN, prefix_tokens=5, image_size=56,
    options={"architecture": "vit_base_patch14_reg4_dinov2", "img_size": 56, "global_pool": "", **SMALL},
)  # fmt: skip


def test_it_takes_a_tile_without_a_byte_of_weights():
    module = tried_tower(dataclasses.replace(SPEC, dim=48))
    assert {parameter.device.type for parameter in module.parameters()} == {"meta"}
    assert not module.training


@pytest.mark.parametrize(
    ("fields", "kind", "words"),
    [
        ({"dim": 24}, ShapeMismatch, "'tiny' declares dim 24; its vectors have 48"),
        ({"image_size": 70}, InvalidInput, "'tiny' does not take tiles of 70 pixels: "),
        ({"prefix_tokens": 1}, InvalidInput, "'tiny' declares prefix_tokens 1; its network has 5. Registers are no"),
    ],
)
def test_what_is_wrong_is_said(fields, kind, words):
    with pytest.raises(kind, match=words) as raised:
        tried_tower(dataclasses.replace(SPEC, **{"dim": 48, **fields}))
    assert "\n" not in str(raised.value)


def test_registers_do_not_matter_to_a_class_token():
    module = tried_tower(dataclasses.replace(SPEC, dim=24, pooling=Pooling.CLS, prefix_tokens=1))
    assert module.num_prefix_tokens == 5


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ({"num_classes": 0}, 'It fits with global_pool = "" among'),
        ({"global_pool": "token", "num_classes": 0}, 'It fits with global_pool = "" among'),
        ({"global_pool": ""}, "It fits with num_classes = 0 among"),
        ({}, 'It fits with num_classes = 0, global_pool = "" among'),
        ({"global_pool": "", "num_classes": 0, "embed_dim": 36}, "Correct dim or pooling"),
    ],
)
def test_options_that_mend_it_are_told(options, remedy):
    small = {"architecture": "vit_small_patch16_224", "img_size": 32, **SMALL}
    del small["num_classes"]
    spec = dataclasses.replace(SPEC, pooling=Pooling.CLS, prefix_tokens=1, image_size=32, options={**small, **options})
    with pytest.raises(ShapeMismatch) as raised:
        tried_tower(spec)
    assert remedy in (raised.value.hint or "")
