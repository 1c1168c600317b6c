import dataclasses

import pytest
import torch
from checkpoints import SMALL, TIMM, randomised, tower
from torch import nn
from torch.nn import functional

from plismbench.errors import InvalidInput, UnknownName
from plismbench.extractors.spec import ExtractorSpec
from plismbench.extractors.towers import FITTED, AttentionPooler, ConvStem, ProjectionPooler, build_tower, fill

SPEC = ExtractorSpec(
    name="tiny", loader=TIMM, dim=24, image_size=32, weights="file:x",
    options={"architecture": "vit_small_patch16_224", "global_pool": "", "img_size": 32, **SMALL},
)  # fmt: skip


def changed(**options):
    return dataclasses.replace(SPEC, options={**SPEC.options, **options})


@pytest.mark.parametrize(
    ("spec", "kind", "words"),
    [
        (changed(architecture="vit_smal_patch16_224"), UnknownName, "Did you mean 'vit_small_patch16_224'"),
        (changed(layout="dinos"), UnknownName, "No layout named 'dinos'.*Did you mean 'dino'"),
        (changed(depht=3), InvalidInput, "timm does not build 'tiny' with option depht = 3: .*depht"),
        (changed(embed_dim="24"), InvalidInput, "with option embed_dim = '24'"),
        (dataclasses.replace(SPEC, image_size=40), InvalidInput, "patches of 16 pixels; 40 is no multiple"),
    ],
)
def test_towers_that_cannot_be(spec, kind, words):
    with pytest.raises(kind, match=words):
        build_tower(spec)


def test_norms_take_the_eps_of_the_spec():
    assert {module.eps for module in build_tower(changed(norm_eps=1e-12)).modules()
            if isinstance(module, nn.LayerNorm)} == {1e-12}  # fmt: skip


def test_a_head_by_hand():
    spec = changed(global_pool="token", head=[5, 3], normalise=True)
    module = randomised(build_tower(spec))
    image = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        token = module.forward_features(image)[:, 0]
        hidden = functional.gelu(token @ module.head[0].weight.T + module.head[0].bias)
        expected = hidden @ module.head[2].weight.T + module.head[2].bias
        torch.testing.assert_close(module(image), expected / expected.norm(dim=1, keepdim=True))
    assert build_tower(changed(head=[5])).head[0].bias is None


def test_attention_with_one_query_is_conchs():
    """Its authors' order of axes: tokens first, batch second."""
    pooler = randomised(AttentionPooler(24, 16))
    tokens = torch.randn(3, 7, 24)
    apart = nn.MultiheadAttention(16, 8, kdim=24, vdim=24)
    apart.load_state_dict(pooler.attn.state_dict())
    with torch.inference_mode():
        keys = pooler.ln_k(tokens).permute(1, 0, 2)
        query = pooler.ln_q(pooler.query).unsqueeze(1).repeat(1, 3, 1)
        expected = apart(query, keys, keys)[0][0]
        torch.testing.assert_close(pooler(tokens), expected)


def test_attention_with_separate_projections_by_hand():
    pooler = randomised(ProjectionPooler(24, 16))
    tokens = torch.randn(3, 7, 24)
    with torch.inference_mode():
        key, value = pooler.to_kv(pooler.ln_k(tokens)).chunk(2, dim=-1)
        query = pooler.to_q(pooler.ln_q(pooler.query))[0]
        expected = torch.empty(3, 16)
        for n in range(3):
            for head in range(8):
                at = slice(2 * head, 2 * head + 2)
                weight = ((key[n, :, at] @ query[at]) / 2**0.5).softmax(0)
                expected[n, at] = weight @ value[n, :, at]
        torch.testing.assert_close(pooler(tokens), expected @ pooler.to_out.weight.T)


def test_the_stem_quarters_an_image():
    stem = ConvStem(img_size=32, patch_size=4, embed_dim=16, norm_layer=nn.LayerNorm, in_chans=3)
    assert stem(torch.randn(2, 3, 32, 32)).shape == (2, 8, 8, 16)


def test_what_does_not_fit_is_named():
    state = tower(SPEC).state_dict()
    state["norm.weight"] = torch.zeros(23)
    with pytest.raises(InvalidInput, match=r"norm\.weight is \(23,\) where \(24,\) is expected"):
        fill(tower(SPEC), state, SPEC)
    del state["norm.weight"], state["norm.bias"]
    state["norn.bias"] = torch.zeros(24)
    with pytest.raises(InvalidInput, match=r"missing norm\.weight, norm\.bias; unexpected norn\.bias\."):
        fill(tower(SPEC), state, SPEC)


def test_integers_are_no_weights():
    """A network of its own has integers too: how many batches were seen."""
    spec = dataclasses.replace(SPEC, dim=1, options={"architecture": "resnet10t", "num_classes": 0})
    state = tower(spec).state_dict()
    assert fill(build_tower(spec), state, spec).bn1.num_batches_tracked.dtype == torch.int64
    state["layer1.0.bn1.bias"] = torch.ones(64, dtype=torch.int8)
    with pytest.raises(InvalidInput, match=r"type: layer1\.0\.bn1\.bias is int8 where float32 is expected"):
        fill(build_tower(spec), state, spec)


def test_a_network_on_the_meta_device_takes_the_weights_in_its_own_types():
    state = {key: value.half() for key, value in tower(SPEC).state_dict().items()}
    with torch.device("meta"):
        module = build_tower(SPEC)
    filled = fill(module, state, SPEC)
    assert {(value.device.type, value.dtype) for value in filled.parameters()} == {("cpu", torch.float32)}
    assert torch.equal(filled.norm.weight, state["norm.weight"].float())


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize(("interpolation", "offset"), [("bicubic", 0.0), ("bilinear", 0.0), ("bicubic", 0.1)])
def test_position_embeddings_are_fitted_as_the_spec_says(antialias, interpolation, offset):
    position = {"antialias": antialias, "interpolation": interpolation, "offset": offset}
    larger = tower(dataclasses.replace(changed(img_size=64), image_size=64)).state_dict()
    module = fill(tower(SPEC), larger, changed(position=position))
    words = f"4 × 4 to 2 × 2, {interpolation}, {'' if antialias else 'not '}antialiased"
    assert getattr(module, FITTED) == words
    found = module.pos_embed
    given = larger["pos_embed"]
    grid = given[:, 1:].reshape(1, 4, 4, 24).permute(0, 3, 1, 2)
    how = {"scale_factor": (2 + offset) / 4} if offset else {"size": (2, 2)}
    grid = functional.interpolate(grid, mode=interpolation, antialias=antialias, align_corners=False, **how)
    expected = torch.cat([given[:, :1], grid.permute(0, 2, 3, 1).reshape(1, 4, 24)], dim=1)
    torch.testing.assert_close(found, expected)


def test_by_default_position_embeddings_are_fitted_as_timm_does():
    from timm.layers import resample_abs_pos_embed

    larger = tower(dataclasses.replace(changed(img_size=64), image_size=64)).state_dict()
    expected = resample_abs_pos_embed(larger["pos_embed"], [2, 2])
    torch.testing.assert_close(fill(tower(SPEC), larger, SPEC).pos_embed.data, expected)
    assert getattr(fill(tower(SPEC), tower(SPEC).state_dict(), SPEC), FITTED) == ""
