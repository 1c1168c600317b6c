import io
import struct
import zlib
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from plismbench.errors import CorruptFile
from plismbench.tiles.decoding import decode_image, decode_png

PIXELS = np.random.default_rng(0).integers(0, 256, size=(224, 224, 3), dtype=np.uint8)


def encode(pixels: np.ndarray[Any, Any], kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format=kind, **options)
    return buffer.getvalue()


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def header(bits: int = 8, colour: int = 2, side: int = 224) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, bits, colour, 0, 0, 0))


def png(rows: bytes) -> bytes:
    return header() + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff(pixels: np.ndarray[Any, Any]) -> bytes:
    """RGB of as many bits as the array has; Pillow writes 8 alone."""
    fields = ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    size = {256: pixels.shape[1], 257: pixels.shape[0], 277: 3, 258: (pixels.itemsize * 8,) * 3}
    for tag, value in (size | {259: 1, 262: 2, 273: 0, 278: pixels.shape[0], 279: pixels.nbytes}).items():
        fields[tag] = value
    buffer = io.BytesIO()
    fields.save(buffer)
    return buffer.getvalue() + pixels.tobytes()


def test_the_pixels_are_those_that_were_saved() -> None:
    decoded = decode_png(encode(PIXELS), "tile")
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, PIXELS)


@pytest.mark.parametrize("options", [{}, {"compress_level": 1}, {"optimize": True}, {"transparency": (1, 2, 3)}])
def test_tissue_is_what_another_library_reads(options: dict[str, Any]) -> None:
    with (files("plismbench") / "resources" / "demo_tissue.jpg").open("rb") as stream:
        tissue = np.asarray(Image.open(stream))
    for row in range(0, 672, 224):
        encoded = encode(tissue[row : row + 224, 448:672], **options)
        np.testing.assert_array_equal(decode_png(encoded, "tile"), np.asarray(Image.open(io.BytesIO(encoded))))


def test_a_bomb_is_refused_before_it_is_decoded() -> None:
    bomb = header(side=30_000) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    with pytest.raises(CorruptFile, match="Not 224 × 224 px but 30000 × 30000: tile 7"):
        decode_png(bomb, "tile 7")


@pytest.mark.parametrize(
    ("encoded", "words"),
    [
        (b"", "Not a PNG file but 0 bytes: tile 7."),
        (encode(PIXELS, "JPEG"), "Not a PNG file, for it starts with .*: tile 7."),
        (
            encode(PIXELS[:100]),
            "Not 224 × 224 px but 224 × 100: tile 7. Crop or resample the tiles of all slides alike.",
        ),
        (encode(PIXELS[..., 0]), "Not 8-bit RGB but 8-bit grey: tile 7. Save it as 8-bit RGB."),
        (encode(np.dstack([PIXELS, PIXELS[..., :1]])), "Not 8-bit RGB but 8-bit RGBA: tile 7."),
        (header(bits=16), "Not 8-bit RGB but 16-bit RGB: tile 7."),
        (header(colour=3), "Not 8-bit RGB but 8-bit palette: tile 7."),
        (encode(PIXELS)[:5000], "Not a whole PNG file, .*: tile 7."),
        (png(b"".join(b"\0" + bytes(672) for _ in range(100))), "Not a whole PNG file, .*: tile 7."),
        (png(bytes([9]) * 673 * 224), "Not a whole PNG file, .*: tile 7."),
        (encode(PIXELS)[:60] + bytes(1000) + encode(PIXELS)[1060:], "Not a whole PNG file, .*: tile 7."),
    ],
    ids=["empty", "jpeg", "size", "grey", "alpha", "16-bit", "palette", "cut", "few rows", "filter", "overwritten"],
)
def test_anything_else_is_named(encoded: bytes, words: str) -> None:
    with pytest.raises(CorruptFile, match=words) as raised:
        decode_png(encoded, "tile 7")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_an_image_that_loses_nothing_keeps_its_pixels(kind: str) -> None:
    np.testing.assert_array_equal(decode_image(encode(PIXELS, kind), "tile"), PIXELS)


def test_a_tiff_of_another_writer_keeps_its_pixels() -> None:
    np.testing.assert_array_equal(decode_image(tiff(PIXELS), "tile"), PIXELS)


def test_a_jpeg_is_decoded_once() -> None:
    smooth = np.full((224, 224, 3), 117, dtype=np.uint8)
    np.testing.assert_allclose(decode_image(encode(smooth, "JPEG", quality=95), "tile"), smooth, atol=1)


@pytest.mark.parametrize(
    ("encoded", "words"),
    [
        (b"no image", "Not a PNG, JPEG or TIFF file: tile 7."),
        (encode(PIXELS, "GIF"), "Not a PNG, JPEG or TIFF file: tile 7."),
        (
            encode(PIXELS[:100], "JPEG"),
            "Not 224 × 224 px but 224 × 100: tile 7. Crop or resample the tiles of all slides alike.",
        ),
        (encode(PIXELS[..., 0], "JPEG"), "Not 8-bit RGB but L: tile 7."),
        (encode(PIXELS, "JPEG")[:5000], r"Not a whole image file, .*: tile 7."),
        (encode(PIXELS[..., 0]), "Not 8-bit RGB but 8-bit grey: tile 7. Save it as 8-bit RGB."),
        (tiff(PIXELS * np.uint16(256)), "Not 8-bit RGB but 16-bit RGB: tile 7. Save it as 8-bit RGB."),
    ],
    ids=["text", "gif", "size", "grey", "cut", "grey png", "16-bit tiff"],
)
def test_any_other_image_is_named(encoded: bytes, words: str) -> None:
    with pytest.raises(CorruptFile, match=words) as raised:
        decode_image(encoded, "tile 7")
    assert "\n" not in str(raised.value)
