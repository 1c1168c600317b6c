"""How one section looks in another staining, under another scanner: the simulation of the demo.

    section ─ cut ─▶ moved a little ─ stain ─▶ light through the dyes ─ scan ─▶ uint8 pixels

Dyes follow Beer–Lambert: a pixel's optical density is the sum, over dyes, of concentration times
the dye's hue vector (Ruifrok and Johnston, Anal Quant Cytol Histol 23:291, 2001). The section is
taken apart into concentrations once, and put together again with the hues and amounts of each
staining (`conditions.py`).
"""

import io
import zlib
from collections.abc import Mapping
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from plismbench.dataset import Slide
from plismbench.errors import UnknownName
from plismbench.tiles.demo.conditions import SCANNERS, STAININGS, Colour, Scanner, Staining

Pixels: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float32]
Waves: TypeAlias = tuple[tuple[int, float], ...]

_SEED = 0

SECTION_WHITE: Colour = (246.0, 243.0, 243.0)
"""Empty glass in the section that ships with the package: the mode of each channel."""

SECTION_HAEMATOXYLIN: Colour = (0.821, 0.495, 0.285)
"""Unit hue vector (optical density in R, G, B) of that section's bluest 1 %, by Macenko et al. (ISBI 2009)."""

SECTION_EOSIN: Colour = (0.142, 0.913, 0.382)
"""The same of its pinkest 1 %."""


# Both: (wavelength in px, amplitude). Serial sections bend (in px of displacement, which registration
# leaves in PLISM, too), and hold other parts of the same cells and fibres, which take up more or
# less of each dye (in log concentration). Together with the colours above they are chosen so that
# an ImageNet network finds the counterpart among ten neighbours for two in three of the cross-both queries.
_DEFORMATION = ((300, 9.0), (28, 1.5))
_UPTAKE = ((300, 0.12), (14, 0.20))


def separate(section: Pixels) -> Floats:
    """Concentrations of the dyes in a section as it came.

    Args:
        section: (h, w, 3) uint8 RGB.

    Returns:
        (h, w, 3) float32 ≥ 0: haematoxylin, eosin, and what neither explains (pigment, ink), in
        optical density (natural logarithm) divided by ln 10⁶, the unit of scikit-image.
    """
    from skimage.color import separate_stains

    light = np.clip(section / _float32(SECTION_WHITE), 1 / 255, 1)
    hues = _hues(SECTION_HAEMATOXYLIN, SECTION_EOSIN)
    return _float32(separate_stains(light, np.linalg.inv(hues)))


def cut(concentrations: Floats, slide: Slide) -> Floats:
    """The serial section that a slide shows: the same tissue, a little moved and changed.

    Slides of one staining are scans of one section, so they share all but what registration
    leaves: a shift of less than a pixel or so.

    Args:
        concentrations: (h, w, 3) as from ``separate``.
        slide: the staining chooses the section, the scanner how well it is registered.

    Returns:
        (h, w, 3) float32 concentrations.

    Raises:
        UnknownName: if the simulation has no such scanner.
    """
    from skimage.transform import warp

    shape = concentrations.shape[:2]
    section = _generator(slide.staining)
    remainder = _generator(str(slide), "shift").normal(0, _named("scanner", slide.scanner, SCANNERS).shift, size=2)
    where = np.indices(shape, dtype=np.float32)
    for axis in range(2):
        where[axis] += _smooth_field(shape, _DEFORMATION, section) + float(remainder[axis])
    moved = np.empty_like(concentrations)
    for dye in range(3):
        moved[..., dye] = warp(concentrations[..., dye], where, order=1, mode="reflect", clip=False)  # type: ignore[no-untyped-call]
    for dye in range(2):
        moved[..., dye] *= np.exp(_smooth_field(shape, _UPTAKE, section))
    return moved


def stain(concentrations: Floats, staining: Staining) -> Floats:
    """Light that a section lets through, by Beer–Lambert.

    Args:
        concentrations: (h, w, 3) as from ``separate``.
        staining: hues and amounts.

    Returns:
        (h, w, 3) floats in [0, 1]; 1 is empty glass.
    """
    from skimage.color import combine_stains

    haematoxylin, eosin, rest = _hues(staining.haematoxylin, staining.eosin)
    # What a unit of each dye in the section as it came adds to the optical density here.
    added = [staining.nuclei * haematoxylin, staining.stroma * (eosin + staining.leak * haematoxylin), rest]
    return _float32(combine_stains(concentrations, _float32(added)))


def scan(light: Floats, scanner: Scanner, rng: np.random.Generator) -> Pixels:
    """What a machine makes of the light.

    Args:
        light: (h, w, 3) floats in [0, 1].
        scanner: the machine.
        rng: source of its noise.

    Returns:
        (h, w, 3) uint8 RGB.
    """
    # One matrix: each channel's gain, then every colour moved to or from its grey.
    colour = np.diag(scanner.white) @ (scanner.saturation * np.eye(3) + (1 - scanner.saturation) / 3)
    response = np.power(light, _float32(scanner.gamma)) @ _float32((1 - scanner.flare) * colour) + scanner.flare
    image = Image.fromarray(_to_uint8(response * 255))
    image = image.filter(ImageFilter.GaussianBlur(scanner.blur))
    image = image.filter(ImageFilter.UnsharpMask(radius=1.5, percent=scanner.sharpening, threshold=0))
    noise = rng.standard_normal(light.shape, dtype=np.float32) * scanner.noise
    image = Image.fromarray(_to_uint8(np.asarray(image) + noise))
    with io.BytesIO() as stream:
        image.save(stream, "JPEG", quality=scanner.jpeg_quality)
        return np.asarray(Image.open(stream))


def acquire(concentrations: Floats, slide: Slide) -> Pixels:
    """The pixels of one slide; the same for the same slide, always.

    Args:
        concentrations: (h, w, 3) as from ``separate``.
        slide: the staining and the scanner.

    Returns:
        (h, w, 3) uint8 RGB.

    Raises:
        UnknownName: if the simulation has no such staining or scanner.
    """
    staining = _named("staining", slide.staining, STAININGS)
    scanner = _named("scanner", slide.scanner, SCANNERS)
    light = stain(cut(concentrations, slide), staining)
    return scan(light, scanner, _generator(str(slide), "noise"))


_Entry = TypeVar("_Entry")


def _named(kind: str, name: str, table: Mapping[str, _Entry]) -> _Entry:
    try:
        return table[name]
    except KeyError:
        raise UnknownName(f"simulated {kind}", name, table) from None


def _hues(haematoxylin: Colour, eosin: Colour) -> Floats:
    """(3, 3): unit hue vectors of the two dyes, and one orthogonal to both for what they don't explain."""
    first, second = (np.array(hue) / np.linalg.norm(hue) for hue in (haematoxylin, eosin))
    third = np.cross(first, second)
    return _float32([first, second, third / np.linalg.norm(third)])


def _smooth_field(shape: tuple[int, ...], waves: Waves, rng: np.random.Generator) -> Floats:
    """(h, w): normal noise of unit variance a wavelength apart, interpolated, times the amplitude; summed."""
    height, width = shape
    field = np.zeros((height, width), dtype=np.float32)
    for wavelength, amplitude in waves:
        coarse = rng.standard_normal((height // wavelength + 3, width // wavelength + 3), dtype=np.float32)
        smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
        field += amplitude * np.asarray(smooth)
    return field


def _generator(*words: str) -> np.random.Generator:
    return np.random.default_rng([_SEED, *(zlib.crc32(word.encode()) for word in words)])


def _float32(values: npt.ArrayLike) -> Floats:
    return np.asarray(values, dtype=np.float32)


def _to_uint8(levels: Floats) -> Pixels:
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)
