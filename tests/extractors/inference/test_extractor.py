import dataclasses
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from pretended_gpu import pretended_gpu
from torch import nn
from torchvision.transforms import ToTensor
from torchvision.transforms import v2 as transforms

from plismbench.errors import BrokenPlugin, InvalidInput, NeedsAction, ShapeMismatch
from plismbench.extractors.catalog import CATALOG
from plismbench.extractors.inference.extractor import (
    Extractor,
    checked_device,
    default_batch_size,
    default_device,
    default_precision,
    load_extractor,
)
from plismbench.extractors.spec import ExtractorSpec, Precision
from plismbench.tiles.demo import DemoTiles

SPEC = ExtractorSpec(name="toy", loader="test_extractor:make", dim=3, mean=(0.7, 0.58, 0.7), std=(0.21, 0.23, 0.18))
CONSTANT = ExtractorSpec(name="constant", loader="plismbench.extractors.baselines:constant", dim=8)


class Tokens(nn.Module):
    """Gives the same hand-made tokens for every tile: (n, 4, 2)."""

    def forward(self, image):
        tokens = torch.tensor([[1.0, 2.0], [100.0, 100.0], [3.0, 4.0], [5.0, 8.0]])
        return tokens.expand(len(image), 4, 2)


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, image):
        return self.function(image)


def extractor(module, precision=Precision.FP32, **changes):
    return Extractor(dataclasses.replace(SPEC, **changes), module, torch.device("cpu"), precision)


@pytest.fixture(scope="module")
def pixels():
    slide = DemoTiles().dataset.default_slides[0]
    return next(DemoTiles().batches(slide, 4)).pixels


@pytest.mark.parametrize(("stride", "layout"), [(16, torch.contiguous_format), (2, torch.channels_last)])
def test_only_patches_are_cut_from_pixels_that_lie_channel_by_channel(pixels, stride, layout):
    found = extractor(nn.Sequential(nn.Conv2d(3, 3, kernel_size=16, stride=stride)))
    assert found.prepare(torch.from_numpy(pixels)).is_contiguous(memory_format=layout)


# Every way in which the catalog, or a size that docs name, prepares a tile, and one that makes it smaller: (resize,
# image_size, interpolation).
POLICIES = {
    (spec.resize, spec.image_size, spec.interpolation) for spec in CATALOG if (spec.resize or spec.image_size) != 224
} | {(0, size, way) for size in (112, 392, 448) for way in ("bilinear", "bicubic")}
# Largest difference in 255ths, measured on these tiles and said in docs/extractors.md: Pillow rounds to bytes, and
# clips, between its horizontal and its vertical pass; bicubic overshoots there.
WORST = {"bilinear": 1.01, "bicubic": 5.01}


@pytest.mark.parametrize(("resize", "side", "interpolation"), sorted(POLICIES))
def test_each_policy_is_torchvisions_to_within_what_the_page_says(pixels, resize, side, interpolation):
    way = transforms.InterpolationMode(interpolation)
    author = transforms.Compose([transforms.Resize(resize or side, way), transforms.CenterCrop(side)])
    changes = {"mean": (0, 0, 0), "std": (1, 1, 1)}
    found = extractor(nn.Identity(), resize=resize, image_size=side, interpolation=interpolation, **changes)
    image = found.prepare(torch.from_numpy(pixels)).permute(0, 2, 3, 1).numpy() * 255
    expected = np.stack([np.asarray(author(Image.fromarray(tile))) for tile in pixels])
    assert image.shape == expected.shape
    assert np.abs(image - expected).max() <= WORST[interpolation]
    assert np.abs(image - expected).mean() <= 0.33


NORMALISATIONS = sorted({(spec.mean, spec.std) for spec in CATALOG if (spec.resize or spec.image_size) == 224})


@pytest.mark.parametrize(("mean", "std"), NORMALISATIONS)  # CLIP's among them
def test_a_tile_of_the_networks_own_size_is_exact(pixels, mean, std):
    author = transforms.Compose(
        [
            transforms.Resize(224, transforms.InterpolationMode.BICUBIC),
            transforms.CenterCrop(224),
            ToTensor(),  # as timm and the cards have it; v2 multiplies by 1 / 255, an ulp off
            transforms.Normalize(mean, std),
        ]
    )
    expected = torch.stack([author(Image.fromarray(tile)) for tile in pixels])
    assert torch.equal(extractor(nn.Identity(), mean=mean, std=std).prepare(torch.from_numpy(pixels)), expected)


def test_tokens_become_float16_vectors_and_one_tile_keeps_its_axis(pixels):
    vectors = extractor(Tokens(), pooling="cls+mean", prefix_tokens=2, dim=4)(pixels)
    assert vectors.tolist() == [[1, 2, 4, 6]] * len(pixels)
    assert vectors.dtype == np.float16
    assert extractor(Tokens(), pooling="cls", prefix_tokens=2, dim=2)(pixels[:1]).shape == (1, 2)


def test_another_shape_than_declared_is_refused(pixels):
    with pytest.raises(ShapeMismatch, match="declares dim 3; its vectors have 2"):
        extractor(Tokens(), pooling="cls", prefix_tokens=2)(pixels)


def test_a_network_that_raises_is_named_unless_it_is_ours(pixels):
    module = Function(lambda image: image.view(7, 7))
    with pytest.raises(BrokenPlugin, match="'toy' fails on tiles of 224 pixels: RuntimeError") as it:
        extractor(module)(pixels)
    assert "\n" not in str(it.value)
    assert it.value.hint == "Fix the loader; finished slides are kept."
    with pytest.raises(RuntimeError):
        extractor(module, loader="plismbench.extractors.loaders:timm_model")(pixels)


def test_what_a_network_says_in_our_words_stays(pixels):
    def refuse(image):
        raise InvalidInput("'toy' takes no tiles without tissue.")

    with pytest.raises(InvalidInput, match=r"^'toy' takes no tiles without tissue"):
        extractor(Function(refuse))(pixels)


def test_tiles_may_be_views(pixels):
    one = extractor(Function(lambda image: image[:, :, 0, 0]))
    assert (one(pixels[:, ::-1]) == one(pixels[:, ::-1].copy())).all()


def test_values_that_float16_cannot_hold_come_out_as_infinity(pixels):
    vectors = extractor(Function(lambda image: image.mean((2, 3)) * 0 + 70_000))(pixels)
    assert np.isinf(vectors).all()


@pytest.mark.parametrize(("scale", "kept"), [(0, True), (1e-4, True), (1e-7, False), (1e-9, False), (1e-40, False)])
def test_vectors_that_float16_rounds_away_come_out_as_nan(pixels, scale, kept):
    values = torch.randn(len(pixels), 3, generator=torch.Generator().manual_seed(0)) * scale
    vectors = extractor(Function(lambda image: values))(pixels)
    assert np.isnan(vectors).all() != kept
    if kept:
        np.testing.assert_allclose(vectors.astype(np.float32), values, atol=1e-2 * scale)


@pytest.mark.parametrize("code", [0, 5])
def test_a_network_that_exits_is_named(pixels, code):
    with pytest.raises(BrokenPlugin, match=f"'toy' fails on tiles of 224 pixels: SystemExit: {code}"):
        extractor(Function(lambda image: sys.exit(code)))(pixels)


@pytest.mark.parametrize(("kind", "name"), [(torch.bfloat16, "bfloat16"), (torch.float64, "float64")])
def test_weights_of_another_type_than_tiles_are_told(pixels, kind, name):
    with pytest.raises(BrokenPlugin, match=rf"Its weights are {name}, tiles float32: `\.float\(\)` in the loader"):
        extractor(nn.Conv2d(3, 3, 16, dtype=kind))(pixels)


def test_what_a_network_prints_is_not_the_result(pixels, capsys):
    def talk(image):
        sys.stdout.write("one batch\n")
        return image.mean((2, 3))

    extractor(Function(talk))(pixels)
    assert capsys.readouterr() == ("", "one batch\n")


@pytest.mark.parametrize("precision", [Precision.FP16, Precision.BF16])
def test_half_precision_runs_under_autocast_and_stays_close(pixels, precision):
    torch.manual_seed(0)
    seen = []
    network = nn.Sequential(nn.Conv2d(3, 8, 16, 16), nn.GELU(), nn.Flatten(), nn.Linear(8 * 196, 3))
    network[0].register_forward_hook(lambda *call: seen.append(call[2].dtype))
    half = extractor(network, precision)(pixels).astype(np.float32)
    full = extractor(network)(pixels).astype(np.float32)
    assert seen == [{"fp16": torch.float16, "bf16": torch.bfloat16}[precision], torch.float32]
    np.testing.assert_allclose(half, full, atol=0.02)


def test_loading_puts_the_network_in_evaluation_mode():
    spec = ExtractorSpec(name="toy", loader="toy_loaders:projection", dim=8)
    loaded = load_extractor(spec, "cpu", Precision.FP32)
    assert not loaded.module.training
    assert [parameter.requires_grad for parameter in loaded.module.parameters()] == [False]
    assert loaded.device == torch.device("cpu")


def test_a_network_is_compiled_when_asked_and_otherwise_left_alone(monkeypatch):
    asked = []
    monkeypatch.setattr(nn.Module, "compile", lambda module, **options: asked.append((type(module).__name__, options)))
    assert not load_extractor(CONSTANT, "cpu", Precision.FP32).compiled
    assert asked == []
    assert load_extractor(CONSTANT, "cpu", Precision.FP32, compiled=True).compiled
    assert asked == [("Constant", {"dynamic": False})]


def test_a_network_that_does_not_fit_is_one_sentence(monkeypatch):
    def refuse(module, device):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(nn.Module, "to", refuse)
    with pytest.raises(NeedsAction, match=r"'constant' does not fit the memory of cpu\. Extract fewer models at once"):
        load_extractor(CONSTANT, "cpu", Precision.FP32)


def test_a_process_works_on_the_gpu_that_it_was_given_and_on_no_other(monkeypatch):
    given = []
    with pretended_gpu(), monkeypatch.context() as patch:
        patch.setattr(torch.cuda, "set_device", given.append)
        load_extractor(CONSTANT, "cuda:0", Precision.FP16)
        load_extractor(CONSTANT, "cuda", Precision.FP16)
        load_extractor(CONSTANT, "cpu:0", Precision.FP32)
    assert given == [torch.device("cuda:0")]


def test_memory_that_is_freed_is_kept_on_a_cpu_alone(monkeypatch):
    kept = []
    monkeypatch.setattr("plismbench.extractors.inference.extractor.keep_freed_memory", lambda: kept.append(True))
    with pretended_gpu():
        load_extractor(CONSTANT, "cuda", Precision.FP16)
        assert kept == []
    load_extractor(CONSTANT, "cpu", Precision.FP32)
    assert kept == [True]


def test_mean_and_deviation_are_made_once(pixels, monkeypatch):
    one = extractor(Function(lambda image: image.mean((2, 3))))
    one(pixels)
    monkeypatch.setattr(torch, "tensor", lambda *_, **__: pytest.fail("a tensor was made from numbers"))
    one(pixels)


def test_convolutions_in_float32_are_cudnns_and_not_rounded_to_tf32(pixels):
    def look(image):
        seen.append((torch.backends.cudnn.enabled, torch.backends.cudnn.allow_tf32))
        return image.mean((2, 3))

    seen, before = [], torch.backends.cudnn.allow_tf32
    extractor(Function(look))(pixels)
    assert seen == [(True, False)]
    assert torch.backends.cudnn.allow_tf32 == before


def test_parameters_are_counted():
    assert extractor(nn.Linear(5, 3)).n_params == 18


def test_devices():
    with pytest.raises(InvalidInput, match="No device named 'gpu'"):
        checked_device("gpu")
    absent = f"cuda:{torch.cuda.device_count()}"
    with pytest.raises(NeedsAction, match=f"Device '{absent}' was asked for"):
        checked_device(absent)
    assert default_device() == ("cuda" if torch.cuda.is_available() else "cpu")


def test_a_gpu_whose_driver_is_too_old_for_torch_is_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(NeedsAction, match=r"finds 0 CUDA devices that it can use\. Use --device cpu, or .* driver"):
        checked_device("cuda")


def test_defaults_follow_the_device(monkeypatch):
    spec = dataclasses.replace(SPEC, precision="bf16")
    assert default_precision(spec, "cpu") is Precision.FP32
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert default_precision(spec, "cuda") is Precision.BF16
    assert default_batch_size("cpu") < default_batch_size("cuda:1")


def test_tiles_that_do_not_fit_the_memory_are_one_line(pixels):
    def full(image):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")

    with pytest.raises(NeedsAction, match="'toy' does not fit the memory of cpu with 4 tiles at once"):
        extractor(Function(full))(pixels)
