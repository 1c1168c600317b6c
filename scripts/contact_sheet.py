"""Draws one demo tile in all 13 stainings under all 7 scanners: docs/pictures/contact_sheet.jpg.

    python scripts/contact_sheet.py

For developers; takes a few minutes, as each of the 91 slides is rendered whole.
"""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from plismbench.dataset import DEMO, Slide
from plismbench.tiles.demo import DemoTiles

TARGET = Path(__file__).parents[1] / "docs" / "pictures" / "contact_sheet.jpg"
TILE = 8  # epidermis beside dermis: crowded nuclei and open collagen
CELL = 136
GAP = 4
LEFT, TOP = 64, 30


def main() -> None:
    """Writes the picture."""
    width = LEFT + len(DEMO.scanners) * (CELL + GAP)
    height = TOP + len(DEMO.stainings) * (CELL + GAP)
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=17)
    for column, scanner in enumerate(DEMO.scanners):
        draw.text((LEFT + column * (CELL + GAP) + CELL // 2, TOP // 2), scanner, "black", font, anchor="mm")
    for row, staining in enumerate(DEMO.stainings):
        draw.text((LEFT - 8, TOP + row * (CELL + GAP) + CELL // 2), staining, "black", font, anchor="rm")
        for column, scanner in enumerate(DEMO.scanners):
            sheet.paste(draw_tile(Slide(staining, scanner)), (LEFT + column * (CELL + GAP), TOP + row * (CELL + GAP)))
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(TARGET, quality=84, optimize=True)


def draw_tile(slide: Slide) -> Image.Image:
    """The tile of the sheet on one slide."""
    (batch,) = DemoTiles().batches(slide, DEMO.tiles_per_slide)
    return Image.fromarray(batch.pixels[TILE]).resize((CELL, CELL), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
