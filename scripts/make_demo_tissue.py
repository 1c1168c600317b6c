"""Cuts the tissue of the demo data set out of OpenSlide's test slide CMU-1-Small-Region.

    python scripts/make_demo_tissue.py CMU-1-Small-Region.svs

For developers: needs tifffile and imagecodecs, which plismbench does not install. The slide is
CC0-1.0; plismbench/resources/NOTICE.md says where it is from.
"""

import argparse
from pathlib import Path

import tifffile
from PIL import Image

TARGET = Path(__file__).parents[1] / "plismbench" / "resources" / "demo_tissue.jpg"

# Left, upper, right, lower: the section without the glass to both sides of it. The size is a whole
# number of strides plus a tile plus a margin on each side (plismbench/tiles/demo/demo.py).
CROP = (508, 107, 1856, 2967)


def main() -> None:
    """Writes the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("svs", type=Path, help="CMU-1-Small-Region.svs")
    pixels = tifffile.imread(parser.parse_args().svs, key=0)
    # Without chroma subsampling: the stains are told apart by their colour.
    Image.fromarray(pixels).crop(CROP).save(TARGET, quality=82, subsampling=0, optimize=True, progressive=True)


if __name__ == "__main__":
    main()
