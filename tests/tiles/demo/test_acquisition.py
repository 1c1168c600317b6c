from dataclasses import replace
from importlib.resources import files
from math import exp, log

import numpy as np
import pytest
from PIL import Image

from plismbench.dataset import DEMO, Slide
from plismbench.errors import UnknownName
from plismbench.tiles.demo.acquisition import (
    SECTION_EOSIN,
    SECTION_HAEMATOXYLIN,
    SECTION_WHITE,
    acquire,
    cut,
    scan,
    separate,
    stain,
)
from plismbench.tiles.demo.conditions import Scanner, Staining

UNIT = log(1e6)
"""Optical density of a concentration of 1, the unit of scikit-image."""

UNCHANGED = Staining(SECTION_HAEMATOXYLIN, SECTION_EOSIN, nuclei=1, stroma=1, leak=0)
NEUTRAL = Scanner((1, 1, 1), (1, 1, 1), saturation=1, flare=0, blur=0, sharpening=0, noise=0, jpeg_quality=95, shift=0)


@pytest.fixture(scope="module")
def section() -> np.ndarray:
    """(240, 200, 3) uint8: blue dots on pink fibres, each pixel some amount of each dye."""
    rng = np.random.default_rng(0)
    down, right = np.mgrid[:240, :200]
    nuclei = 1.5 * (np.hypot(down % 30 - 15, right % 26 - 13) < 5)
    fibres = 0.6 + 0.5 * np.sin(down / 3 + right / 11) + rng.uniform(0, 0.1, down.shape)
    density = nuclei[..., None] * SECTION_HAEMATOXYLIN + fibres[..., None] * SECTION_EOSIN
    return np.rint(np.array(SECTION_WHITE) * np.exp(-density)).astype(np.uint8)


@pytest.fixture(scope="module")
def concentrations(section: np.ndarray) -> np.ndarray:
    return separate(section)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def flat(*light: float) -> np.ndarray:
    return np.full((32, 32, 3), light, dtype=np.float32)


def test_section_constants_are_those_of_the_tissue_that_ships() -> None:
    with (files("plismbench") / "resources" / "demo_tissue.jpg").open("rb") as stream:
        pixels = np.asarray(Image.open(stream)).reshape(-1, 3)
    mode = [200 + int(np.bincount(channel)[200:255].argmax()) for channel in pixels.T]
    np.testing.assert_allclose(mode, SECTION_WHITE, atol=1)

    # Macenko: the plane of most variance, and in it the extreme angles.
    density = -np.log(np.maximum(pixels, 1) / np.array(SECTION_WHITE))
    density = density[density.min(axis=1) > 0.1]
    plane = np.linalg.eigh(np.cov(density.T))[1][:, 1:]
    plane *= np.sign(plane.sum(axis=0))
    angles = np.arctan2(*(density @ plane).T)
    hues = [plane @ (np.sin(angle), np.cos(angle)) for angle in np.percentile(angles, (1, 99))]
    haematoxylin, eosin = sorted(hues, key=lambda hue: -hue[0])
    np.testing.assert_allclose(haematoxylin, SECTION_HAEMATOXYLIN, atol=0.03)
    np.testing.assert_allclose(eosin, SECTION_EOSIN, atol=0.03)


def test_glass_holds_no_dye() -> None:
    assert separate(np.array([[SECTION_WHITE, (255, 255, 255)]], dtype=np.uint8)).tolist() == [[[0, 0, 0]] * 2]


@pytest.mark.parametrize(("dye", "hue"), [(0, SECTION_HAEMATOXYLIN), (1, SECTION_EOSIN)])
def test_a_pure_dye_is_found_as_itself(dye: int, hue: tuple[float, float, float]) -> None:
    unit = np.array(hue) / np.linalg.norm(hue)
    pixels = np.rint(np.array(SECTION_WHITE) * np.exp(-0.7 * unit)).astype(np.uint8)[None, None]
    expected = np.zeros(3)
    expected[dye] = 0.7
    np.testing.assert_allclose(separate(pixels)[0, 0] * UNIT, expected, atol=0.02)


def test_light_follows_beer_lambert_by_hand() -> None:
    staining = Staining((2, 0, 0), (0, 3, 0), nuclei=2, stroma=0.5, leak=0.1)  # lengths do not count
    one_of_each = np.eye(3, dtype=np.float32)[None] / UNIT
    light = stain(one_of_each, staining)[0]
    np.testing.assert_allclose(light[0], [exp(-2), 1, 1], rtol=1e-5)
    np.testing.assert_allclose(light[1], [exp(-0.5 * 0.1), exp(-0.5), 1], rtol=1e-5)
    np.testing.assert_allclose(light[2], [1, 1, exp(-1)], rtol=1e-5)


def test_unchanged_staining_gives_the_section_back(section: np.ndarray, concentrations: np.ndarray) -> None:
    again = stain(concentrations, UNCHANGED) * SECTION_WHITE
    # Rounding may leave a pixel just outside what positive amounts of three dyes can make.
    assert np.abs(again - section).max() < 1.5
    assert np.abs(again - section).mean() < 0.2


def test_more_dye_is_darker(concentrations: np.ndarray) -> None:
    light = stain(concentrations, UNCHANGED)
    for stronger in (replace(UNCHANGED, nuclei=1.5), replace(UNCHANGED, stroma=1.5), replace(UNCHANGED, leak=0.3)):
        darker = stain(concentrations, stronger)
        assert (darker <= light + 1e-6).all()
        assert darker.mean() < light.mean() - 0.005


@pytest.mark.parametrize(
    ("scanner", "light", "expected"),
    [
        (NEUTRAL, (0.2, 0.5, 1.0), (51, 127.5, 255)),
        (replace(NEUTRAL, gamma=(2, 1, 0.5)), (0.5, 0.5, 0.25), (63.75, 127.5, 127.5)),
        (replace(NEUTRAL, white=(1.2, 0.8, 1.0)), (1.0, 1.0, 0.5), (255, 204, 127.5)),
        (replace(NEUTRAL, saturation=0), (0.2, 0.3, 0.7), (102, 102, 102)),
        (replace(NEUTRAL, saturation=0, white=(0.5, 1, 1)), (0.2, 0.3, 0.5), (76.5, 76.5, 76.5)),
        (replace(NEUTRAL, flare=0.1), (0.0, 0.5, 1.0), (25.5, 140.25, 255)),
    ],
    ids=["neutral", "gamma", "white", "saturation", "white before saturation", "flare"],
)
def test_response_to_even_light_by_hand(
    scanner: Scanner, light: tuple[float, ...], expected: tuple[float, ...], rng: np.random.Generator
) -> None:
    pixels = scan(flat(*light), scanner, rng)
    assert pixels.dtype == np.uint8
    np.testing.assert_allclose(pixels.reshape(-1, 3).mean(axis=0), expected, atol=2)  # JPEG rounds, too


def test_blur_softens_and_sharpening_hardens(rng: np.random.Generator) -> None:
    stripes = np.where(np.arange(32)[:, None, None] // 4 % 2, flat(0.4, 0.4, 0.4), flat(0.6, 0.6, 0.6))
    contrast = {
        word: float(scan(stripes, scanner, rng).std())
        for word, scanner in {
            "blurred": replace(NEUTRAL, blur=1.5),
            "neutral": NEUTRAL,
            "sharpened": replace(NEUTRAL, sharpening=150),
        }.items()
    }
    assert contrast["blurred"] < 0.9 * contrast["neutral"] < 0.8 * contrast["sharpened"]


def test_noise_has_its_standard_deviation(rng: np.random.Generator) -> None:
    even = np.full((200, 200, 3), 0.5, dtype=np.float32)
    pixels = scan(even, replace(NEUTRAL, noise=6, saturation=1), rng)
    assert scan(even, NEUTRAL, rng).std() < 0.5
    assert pixels[..., 1].std() == pytest.approx(6, rel=0.25)  # JPEG takes some of the colour noise


def test_scans_of_one_staining_show_one_section(concentrations: np.ndarray) -> None:
    def difference(a: str, b: str) -> float:
        moved = [cut(concentrations, Slide.parse(name)) for name in (a, b)]
        return float(np.abs(moved[0] - moved[1]).mean())

    assert difference("HR_S60", "HR_AT2") < 0.5 * difference("HR_S60", "GMH_S60")


def test_every_slide_of_the_demo_can_be_acquired_and_none_is_another(concentrations: np.ndarray) -> None:
    means = {slide: acquire(concentrations, slide).mean(axis=(0, 1)).round(3).tolist() for slide in DEMO.slides}
    assert len({tuple(mean) for mean in means.values()}) == 91
    assert all(40 < channel < 250 for mean in means.values() for channel in mean)


def test_a_slide_does_not_depend_on_what_was_acquired_before(concentrations: np.ndarray) -> None:
    first = acquire(concentrations, Slide("KR", "SQ"))
    acquire(concentrations, Slide("GIV", "P"))
    np.testing.assert_array_equal(acquire(concentrations.copy(), Slide("KR", "SQ")), first)


@pytest.mark.parametrize(
    ("slide", "message"),
    [
        (Slide("GMX", "S60"), "No simulated staining named 'GMX'. Did you mean"),
        (Slide("GMH", "S61"), "No simulated scanner named 'S61'. Did you mean 'S60'"),
    ],
    ids=["staining", "scanner"],
)
def test_an_unknown_acquisition_is_named(concentrations: np.ndarray, slide: Slide, message: str) -> None:
    with pytest.raises(UnknownName, match=message):
        acquire(concentrations, slide)
