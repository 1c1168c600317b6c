"""The 13 stainings and 7 scanners of the demo as numbers.

None is measured on PLISM: they are chosen to look like the protocols and machines that the codes
stand for, and to differ about as much as laboratories do.
"""

from dataclasses import dataclass
from typing import TypeAlias

Colour: TypeAlias = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Staining:
    """One protocol.

    Args:
        haematoxylin, eosin: hue vectors, optical density in R, G, B; any length.
        nuclei: amount of haematoxylin, relative to the section as it came.
        stroma: amount of eosin, likewise.
        leak: haematoxylin that stays outside nuclei, per unit of eosin: what over-staining does.
    """

    haematoxylin: Colour
    eosin: Colour
    nuclei: float
    stroma: float
    leak: float


@dataclass(frozen=True, slots=True)
class Scanner:
    """One machine.

    Args:
        white: response to empty glass in R, G, B; 1 is full scale, and what is above saturates.
        gamma: exponent of each channel's response.
        saturation: distance of colours from grey; 1 leaves them.
        flare: stray light, as a share of full scale, that lifts the darkest pixels.
        blur: standard deviation of the optics' point spread, px.
        sharpening: strength of the unsharp mask of 1.5 px, per cent.
        noise: standard deviation, grey levels.
        jpeg_quality: 1 to 95.
        shift: standard deviation of what registration leaves, px in x and in y.
    """

    white: Colour
    gamma: Colour
    saturation: float
    flare: float
    blur: float
    sharpening: int
    noise: float
    jpeg_quality: int
    shift: float


# A trailing H is the short protocol of the same formula, so the hue stays and the amounts change.
# Long protocols end with alcohol, which takes eosin out; MY has 3 minutes of eosin instead of 15.
_GILL_4 = (0.74, 0.61, 0.30)
_NEW_G = (0.78, 0.58, 0.20)
_GILL_5 = (0.69, 0.66, 0.28)
_HARRIS = (0.60, 0.73, 0.34)
_CARAZZI = (0.84, 0.50, 0.22)
_LILLIE = (0.65, 0.68, 0.22)
_MAYER = (0.72, 0.66, 0.18)
_EOSIN_KEPT = (0.09, 0.92, 0.37)
_EOSIN_WASHED = (0.06, 0.88, 0.48)

STAININGS = {
    "GIV": Staining(_GILL_4, _EOSIN_WASHED, nuclei=1.25, stroma=0.80, leak=0.30),
    "GIVH": Staining(_GILL_4, _EOSIN_KEPT, nuclei=0.52, stroma=0.90, leak=0.03),
    "GM": Staining(_NEW_G, _EOSIN_WASHED, nuclei=0.95, stroma=0.70, leak=0.12),
    "GMH": Staining(_NEW_G, _EOSIN_KEPT, nuclei=0.72, stroma=0.80, leak=0.06),
    "GV": Staining(_GILL_5, _EOSIN_WASHED, nuclei=1.15, stroma=0.74, leak=0.22),
    "GVH": Staining(_GILL_5, _EOSIN_KEPT, nuclei=0.80, stroma=0.84, leak=0.07),
    "HR": Staining(_HARRIS, _EOSIN_WASHED, nuclei=1.30, stroma=0.82, leak=0.40),
    "HRH": Staining(_HARRIS, _EOSIN_KEPT, nuclei=0.75, stroma=0.92, leak=0.10),
    "KR": Staining(_CARAZZI, _EOSIN_WASHED, nuclei=1.05, stroma=0.66, leak=0.16),
    "KRH": Staining(_CARAZZI, _EOSIN_KEPT, nuclei=0.56, stroma=0.96, leak=0.02),
    "LM": Staining(_LILLIE, _EOSIN_WASHED, nuclei=0.90, stroma=0.60, leak=0.10),
    "LMH": Staining(_LILLIE, _EOSIN_KEPT, nuclei=0.66, stroma=0.78, leak=0.05),
    "MY": Staining(_MAYER, (0.05, 0.94, 0.33), nuclei=0.85, stroma=0.48, leak=0.08),
}

# Two machines of Leica (AT2, GT450), one of Philips (P, with saturated pixels), four of Hamamatsu.
SCANNERS = {
    "AT2": Scanner((0.96, 0.95, 0.92), (0.98, 1.02, 0.98), 1.00, 0.01, 0.6, 40, 2.0, 70, 0.4),
    "GT450": Scanner((0.98, 0.93, 0.96), (0.84, 0.96, 0.92), 1.08, 0.00, 0.6, 50, 1.5, 85, 0.4),
    "P": Scanner((1.08, 1.04, 1.08), (1.14, 1.12, 1.00), 1.00, 0.00, 0.5, 50, 1.0, 75, 0.7),
    "S210": Scanner((0.87, 0.88, 0.94), (0.98, 0.86, 0.78), 0.92, 0.03, 0.8, 20, 2.5, 80, 0.4),
    "S360": Scanner((0.91, 0.90, 0.94), (1.02, 0.92, 0.84), 1.00, 0.02, 0.7, 30, 2.0, 80, 0.4),
    "S60": Scanner((0.86, 0.88, 0.96), (0.98, 0.82, 0.72), 0.94, 0.02, 0.9, 10, 2.5, 75, 0.4),
    "SQ": Scanner((0.84, 0.87, 0.92), (0.90, 0.82, 0.80), 0.88, 0.04, 1.1, 0, 3.0, 70, 0.5),
}
