"""Towers that see a tile otherwise than once and whole; each function changes a timm tower in place."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from plismbench.errors import InvalidInput


def see_by_channel(tower: nn.Module) -> None:
    """Red, green and blue apart, as three grey tiles; a token is the three of its place, concatenated.

    So does GenBio-PathFM (`GenBio_PathFM_Inference` of genbio-ai/genbio-pathfm). The tower takes one
    channel: (n, 3, height, width) becomes (n, tokens, 3 width).
    """

    def apart(_: nn.Module, given: tuple[Tensor]) -> Tensor:
        return given[0].flatten(0, 1).unsqueeze(1)

    def together(_: nn.Module, __: tuple[Tensor], tokens: Tensor) -> Tensor:
        return tokens.reshape(-1, 3, *tokens.shape[1:]).transpose(1, 2).flatten(2)

    tower.register_forward_pre_hook(apart)
    tower.register_forward_hook(together)


def see_at_two_scales(tower: nn.Module) -> None:
    """Whole, and its quarters at twice the size: the class token of the one beside the mean of those of the others.

    So does MUSK where it is not to match text (``ms_aug`` of lilab-stanford/MUSK, after arXiv:2403.13043):
    (n, 3, side, side) becomes (n, 2 width). The enlarged tile is interpolated by torch's bicubic.
    """

    def views(_: nn.Module, given: tuple[Tensor]) -> Tensor:
        tiles = given[0]
        enlarged = functional.interpolate(tiles, scale_factor=2, mode="bicubic")
        return torch.cat([tiles, *(quarter for half in enlarged.chunk(2, 2) for quarter in half.chunk(2, 3))])

    def pooled(_: nn.Module, __: tuple[Tensor], tokens: Tensor) -> Tensor:
        whole, *quarters = tokens[:, 0].chunk(5)
        return torch.cat([whole, torch.stack(quarters).mean(0)], dim=1)

    tower.register_forward_pre_hook(views)
    tower.register_forward_hook(pooled)


VIEWS = {"channels": see_by_channel, "two-scales": see_at_two_scales}


def rotate_in_bfloat16(tower: Any) -> None:
    """Gives a DINOv3 of timm the rotary position embeddings of Meta's training code.

    There angles, sines and cosines have 8 bits, and so have queries and keys while they are rotated; timm has
    float32 throughout, which gives slightly other vectors.

    Raises:
        InvalidInput: if the tower has none.
    """
    if getattr(tower, "rope", None) is None:
        raise InvalidInput(f"{type(tower).__name__} of timm has no rotary position embeddings for option rope.")
    tower.rope = _CoarseRotary(tower.embed_dim // tower.blocks[0].attn.num_heads)
    for block in tower.blocks:
        # What timm calls norms stands between projection and rotation.
        block.attn.q_norm = block.attn.k_norm = _BFloat16()


class _CoarseRotary(nn.Module):
    """Sines and cosines for the patches of a grid; the periods are those of the checkpoint.

    Args:
        head_dim: width of an attention head.
    """

    periods: Tensor

    def __init__(self, head_dim: int) -> None:
        super().__init__()
        exponents = 2 * torch.arange(head_dim // 4, dtype=torch.bfloat16) / (head_dim // 2)
        self.register_buffer("periods", 100.0**exponents)

    def get_embed(self, shape: list[int]) -> Tensor:
        """(rows · columns, 2 head_dim) bfloat16, sines before cosines, as timm asks for them."""
        places = [torch.arange(0.5, side, dtype=torch.bfloat16, device=self.periods.device) / side for side in shape]
        grid = 2 * torch.stack(torch.meshgrid(*places, indexing="ij"), dim=-1).flatten(0, 1) - 1
        angles = (2 * math.pi * grid[:, :, None] / self.periods).flatten(1).tile(2)
        return torch.cat([angles.sin(), angles.cos()], dim=-1)


class _BFloat16(nn.Module):
    def forward(self, heads: Tensor) -> Tensor:
        return heads.bfloat16()
