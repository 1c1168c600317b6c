import numpy as np
import pytest
import torch
from skimage.color import rgb2hed

from plismbench.extractors.catalog import CATALOG
from plismbench.extractors.inference.extractor import load_extractor
from plismbench.extractors.spec import Precision

BY_NAME = {spec.name: spec for spec in CATALOG}
STATISTICS = ["constant", "mean-color", "small-pixels", "color-stats", "hed-stats"]


def embed(name, pixels, precision=Precision.FP32):
    return load_extractor(BY_NAME[name], "cpu", precision)(pixels)


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (5, 224, 224, 3), dtype=np.uint8)


def moments_and_histogram(channels, low, high):
    """The slow obvious way, channel by channel."""
    found = [[values.mean(), values.std(), np.cbrt(((values - values.mean()) ** 3).mean())] for values in channels]
    histograms = []
    for values in channels:
        bins = np.floor((values - low) / (high - low) * 16).clip(0, 15)
        histograms.append([(bins == number).mean() for number in range(16)])
    return np.concatenate([np.array(found).T.reshape(-1), np.array(histograms).reshape(-1)])


def test_constant_is_constant(pixels):
    assert (embed("constant", pixels) == 1).all()


def test_mean_color_is_the_mean(pixels):
    np.testing.assert_allclose(embed("mean-color", pixels), pixels.mean(axis=(1, 2)) / 255, atol=1e-3)


def test_small_pixels_are_means_of_blocks(pixels):
    blocks = (pixels / 255).reshape(5, 16, 14, 16, 14, 3).mean(axis=(2, 4))
    np.testing.assert_allclose(embed("small-pixels", pixels), blocks.transpose(0, 3, 1, 2).reshape(5, -1), atol=1e-3)


def test_color_stats_are_those_of_numpy(pixels):
    pixels[1, :, :, 0] //= 3
    for tile, vector in zip(pixels, embed("color-stats", pixels), strict=True):
        channels = (tile.astype(np.float32) / np.float32(255)).reshape(-1, 3).T
        np.testing.assert_allclose(vector, moments_and_histogram(channels, 0, 1), atol=2e-3)


def test_hed_stats_are_those_of_scikit_image(pixels):
    pixels = pixels.clip(1, 255)
    for tile, vector in zip(pixels, embed("hed-stats", pixels), strict=True):
        # scikit-image clips negative concentrations, which our moments keep; compare what both see.
        ours = -np.log10(tile.reshape(-1, 3) / 255) @ np.linalg.inv(
            np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
        )
        scikit = rgb2hed(tile).reshape(-1, 3)
        scale = np.log10(1e6) / 1  # rgb2hed divides by log(1e-6); ours is in decades
        np.testing.assert_allclose((ours / scale).clip(0), scikit, atol=1e-6)
        np.testing.assert_allclose(vector[:9], moments_and_histogram(ours.T, -0.5, 1.5)[:9], atol=5e-3)


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("precision", Precision)
def test_blank_tiles_are_finite(name, value, precision):
    vectors = embed(name, np.full((2, 224, 224, 3), value, np.uint8), precision)
    assert vectors.shape == (2, BY_NAME[name].dim)
    assert np.isfinite(vectors).all()


@pytest.mark.parametrize("name", STATISTICS)
def test_a_tile_does_not_depend_on_its_batch(name, pixels):
    together = embed(name, pixels)
    alone = np.concatenate([embed(name, pixels[row : row + 1]) for row in range(5)])
    np.testing.assert_array_equal(together, alone)


@pytest.mark.parametrize("name", ["color-stats", "hed-stats"])
def test_autocast_does_not_round_the_statistics(name, pixels):
    np.testing.assert_array_equal(embed(name, pixels, Precision.FP16), embed(name, pixels, Precision.FP32))


def test_the_random_network_is_the_same_every_time_and_leaves_the_generator_alone(pixels):
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = embed("random-vit-s", pixels[:2])
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(6)
    np.testing.assert_array_equal(embed("random-vit-s", pixels[:2]), first)
    assert first.shape == (2, 384)
    assert not np.array_equal(first[0], first[1])
