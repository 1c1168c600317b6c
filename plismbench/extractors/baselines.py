"""Extractors without weights: the floor under a leaderboard, and a trap for metrics that can be gamed.

Every module takes (n, 3, height, width) float32 pixels in [0, 1] and gives (n, dim) float32, one
tile at a time: no vector depends on the other tiles of its batch.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from plismbench.errors import UnknownName
from plismbench.extractors.spec import ExtractorSpec

_BINS = 16


class Constant(nn.Module):
    """The same vector for every tile: cosine 1, retrieval 0."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, dim) ones."""
        return pixels.new_ones(len(pixels), self.dim)


class SmallPixels(nn.Module):
    """The tile averaged down to side × side pixels."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 3 side²) means of pixel blocks, channel by channel."""
        return functional.adaptive_avg_pool2d(pixels, self.side).flatten(1)


class ColorStatistics(nn.Module):
    """Moments and histogram of the three channels, of RGB or of a stain space.

    Args:
        matrix: (3, 3) from optical density to stains, as scikit-image's ``hed_from_rgb``; without
            it the channels are RGB as they are.
        low: lower end of the histogram.
        high: upper end; values outside count in the outermost bins.
    """

    matrix: Tensor | None

    def __init__(self, matrix: Tensor | None, low: float, high: float) -> None:
        super().__init__()
        self.register_buffer("matrix", matrix)
        self.low, self.high = low, high

    def forward(self, pixels: Tensor) -> Tensor:
        """(n, 57): mean, standard deviation, signed cube root of the third moment, 16 bins; for 3 channels."""
        values = pixels.flatten(2)
        if self.matrix is not None:
            density = -values.clamp_min(1 / 255).log10()
            # A product and a sum, not a matmul: autocast would round that to half precision.
            values = (density[:, :, None] * self.matrix[None, :, :, None]).sum(1)
        mean = values.mean(2)
        centred = values - mean[:, :, None]
        third = centred.pow(3).mean(2)
        moments = (mean, centred.square().mean(2).sqrt(), third.sign() * third.abs().pow(1 / 3))
        bins = ((values - self.low) / (self.high - self.low) * _BINS).long().clamp(0, _BINS - 1)
        counts = values.new_zeros(*values.shape[:2], _BINS).scatter_add_(2, bins, torch.ones_like(values))
        return torch.cat([*moments, (counts / values.shape[2]).flatten(1)], dim=1)


def constant(spec: ExtractorSpec) -> nn.Module:
    """One vector for all."""
    return Constant(spec.dim)


def small_pixels(spec: ExtractorSpec) -> nn.Module:
    """A thumbnail of ``options["side"]`` pixels; side 1 is the mean colour."""
    return SmallPixels(spec.options["side"])


def color_stats(_spec: ExtractorSpec) -> nn.Module:
    """Statistics of red, green and blue."""
    return ColorStatistics(None, 0.0, 1.0)


def hed_stats(_spec: ExtractorSpec) -> nn.Module:
    """Statistics of haematoxylin, eosin and DAB after Ruifrok and Johnston (2001)."""
    from skimage.color import hed_from_rgb

    return ColorStatistics(torch.tensor(hed_from_rgb, dtype=torch.float32), -0.5, 1.5)


def random_timm(spec: ExtractorSpec) -> nn.Module:
    """Timm's ``options["architecture"]`` as it is initialised after ``options["seed"]``.

    Raises:
        UnknownName: if timm has no such architecture.
    """
    import timm

    architecture = spec.options["architecture"]
    if not timm.is_model(architecture):
        raise UnknownName("timm architecture", architecture, timm.list_models())
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.options["seed"])
        module: nn.Module = timm.create_model(architecture, pretrained=False, num_classes=0)
    return module
