import math

import pytest
import torch
from checkpoints import TIMM, randomised
from torch import nn

from plismbench.errors import InvalidInput
from plismbench.extractors.spec import ExtractorSpec
from plismbench.extractors.towers import build_tower
from plismbench.extractors.views import see_at_two_scales, see_by_channel

OPTIONS = {"architecture": "vit_7b_patch16_dinov3", "img_size": 32, "num_classes": 0, "global_pool": "",
           "embed_dim": 24, "depth": 1, "num_heads": 2, "mlp_ratio": 2.0}  # fmt: skip


def build(**options):
    spec = ExtractorSpec(name="x", loader=TIMM, dim=24, image_size=32, options=OPTIONS | options)
    return randomised(build_tower(spec))


class Means(nn.Module):
    """Two tokens a tile: its mean, and that of its first row."""

    def forward(self, tiles):
        return torch.stack([tiles.mean((2, 3)), tiles[:, :, 0].mean(2)], dim=1)


def test_channels_apart_are_three_passes_side_by_side():
    tower = Means()
    see_by_channel(tower)
    tiles = torch.rand(2, 3, 4, 4)
    expected = [tiles.mean((2, 3)), tiles[:, :, 0].mean(2)]
    torch.testing.assert_close(tower(tiles), torch.stack(expected, dim=1))


def test_two_scales_are_the_whole_beside_the_mean_of_its_quarters():
    class Corner(nn.Module):
        def forward(self, tiles):
            return tiles[:, None, :, 0, 0]

    tower = Corner()
    see_at_two_scales(tower)
    tiles = torch.rand(2, 3, 8, 8)
    large = nn.functional.interpolate(tiles, size=16, mode="bicubic")
    corners = sum(large[:, :, y, x] for y in (0, 8) for x in (0, 8)) / 4
    torch.testing.assert_close(tower(tiles), torch.cat([tiles[:, :, 0, 0], corners], dim=1))


def test_angles_are_those_of_eight_bits():
    """A third of the way is 0.166992 there, and so -0.664062 of the half width, not -0.666667."""
    rope = build(rope="bfloat16").rope
    assert rope.periods.tolist() == [1.0, 4.65625, 21.625]
    sines, cosines = rope.get_embed([1, 3]).chunk(2, dim=1)
    angle = torch.tensor(2 * math.pi * -0.6640625).bfloat16()
    assert sines[0].tolist() == [0, 0, 0, *(angle / rope.periods).sin().tolist()] * 2
    assert cosines[1].tolist() == [1.0] * 12


def test_what_has_no_rotation_is_not_turned():
    with pytest.raises(InvalidInput, match="has no rotary position embeddings"):
        build(architecture="vit_small_patch16_224", rope="bfloat16")
