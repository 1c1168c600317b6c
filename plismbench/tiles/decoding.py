"""One image file to one tile."""

import io
import struct

import numpy as np
import numpy.typing as npt
from imagecodecs import SpngError, spng_decode
from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import BITSPERSAMPLE, TiffImageFile

from plismbench.dataset import TILE_SIZE
from plismbench.errors import CorruptFile

# Signature, length and name of the first chunk, width, height, bits a channel, colour type (PNG, section 11.2.2).
_HEADER = struct.Struct(">8s4x4sIIBB")
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_RGB = 2
_COLOURS = {0: "grey", 3: "palette", 4: "grey and alpha", 6: "RGBA"}

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
"""Endings of the names of files that `decode_image` reads."""


def decode_png(encoded: bytes, name: str) -> npt.NDArray[np.uint8]:
    """The pixels of a tile.

    The header is read before anything is decoded, so a file that claims 30,000 × 30,000 px costs
    nothing.

    Args:
        encoded: a PNG file, 8-bit RGB, `TILE_SIZE` on both sides.
        name: what an error calls it.

    Returns:
        (224, 224, 3) uint8 RGB.

    Raises:
        CorruptFile: if it is no PNG, has another size or colour type, or does not decode.
    """
    if len(encoded) < _HEADER.size:
        raise CorruptFile(f"Not a PNG file but {len(encoded)} bytes: {name}.")
    signature, chunk, width, height, bits, colour = _HEADER.unpack_from(encoded)
    if (signature, chunk) != (_SIGNATURE, b"IHDR"):
        raise CorruptFile(f"Not a PNG file, for it starts with {encoded[:8]!r}: {name}.")
    if (width, height) != (TILE_SIZE, TILE_SIZE):
        raise _of_other_size(width, height, name)
    if (bits, colour) != (8, _RGB):
        found = _COLOURS.get(colour, "RGB")
        raise CorruptFile(f"Not 8-bit RGB but {bits}-bit {found}: {name}.", hint="Save it as 8-bit RGB.")
    try:
        pixels: npt.NDArray[np.uint8] = spng_decode(encoded)  # half of Pillow's time, and without Python's lock
    except SpngError as error:
        why = str(error).removeprefix("spng_decode_image returned ")
        raise CorruptFile(f"Not a whole PNG file, {why}: {name}.") from error
    return pixels


def decode_image(encoded: bytes, name: str) -> npt.NDArray[np.uint8]:
    """The pixels of a tile that is a PNG, JPEG or TIFF file; the header is read before anything is decoded.

    Args:
        encoded: an image file, 8-bit RGB, `TILE_SIZE` on both sides.
        name: what an error calls it.

    Returns:
        (224, 224, 3) uint8 RGB.

    Raises:
        CorruptFile: if it is of another kind, size or colour type, or does not decode.
    """
    if encoded.startswith(_SIGNATURE):
        return decode_png(encoded, name)
    try:
        with Image.open(io.BytesIO(encoded), formats=["JPEG", "TIFF"]) as image:
            if image.size != (TILE_SIZE, TILE_SIZE):
                raise _of_other_size(image.width, image.height, name)
            if image.mode != "RGB":
                raise CorruptFile(f"Not 8-bit RGB but {image.mode}: {name}.", hint="Save it as 8-bit RGB.")
            bits = max(image.tag_v2[BITSPERSAMPLE]) if isinstance(image, TiffImageFile) else 8
            if bits != 8:  # Pillow calls it RGB too, and keeps the upper 8 bits
                raise CorruptFile(f"Not 8-bit RGB but {bits}-bit RGB: {name}.", hint="Save it as 8-bit RGB.")
            image.load()
            return np.asarray(image)
    except UnidentifiedImageError as error:
        raise CorruptFile(f"Not a PNG, JPEG or TIFF file: {name}.") from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise CorruptFile(f"Not a whole image file, {error}: {name}.") from error


def _of_other_size(width: int, height: int, name: str) -> CorruptFile:
    return CorruptFile(
        f"Not {TILE_SIZE} × {TILE_SIZE} px but {width} × {height}: {name}.",
        hint="Crop or resample the tiles of all slides alike.",
    )
