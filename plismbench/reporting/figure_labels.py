"""Where names go in a scatter plot, so that they cover neither each other nor a point."""

from collections.abc import Sequence

_WIDTH, _HEIGHT = 0.011, 0.05  # of a letter and a line, as parts of the picture
_SIDE = 400  # pixels of the picture
_BEYOND = 4  # what stands outside is lost, what covers something can mostly be read
_MOST_COVERED = 0.3  # of a name: one of which more would cover something is left out
_SIDES = {  # plotly's word: which way the name leaves its point
    "top center": (0, 1),
    "bottom center": (0, -1),
    "middle right": (1, 0),
    "middle left": (-1, 0),
    "top right": (1, 1),
    "top left": (-1, 1),
    "bottom right": (1, -1),
    "bottom left": (-1, -1),
}

_Box = tuple[float, float, float, float]


def label_places(
    points: Sequence[tuple[float, float]],
    names: Sequence[str],
    diameters: Sequence[float],
    corners: Sequence[tuple[float, float]] = (),
) -> list[str | None]:
    """A ``textposition`` for each name: in turn, the one that covers least of what is there; None without room.

    Args:
        points: (x, y) of each mark, in any unit.
        names: their labels, the most important first.
        diameters: of the marks, in pixels.
        corners: more points that the axes reach to.
    """
    held = (*points, *corners)
    places = list(zip(_spread([x for x, _ in held]), _spread([y for _, y in held]), strict=True))[: len(points)]
    gaps = [(diameter / 2 / 0.8 + 1) / _SIDE for diameter in diameters]  # as plotly leaves them
    taken = [(x - gap, y - gap, x + gap, y + gap) for (x, y), gap in zip(places, gaps, strict=True)]
    chosen: list[str | None] = []
    for (x, y), name, gap in zip(places, names, gaps, strict=True):
        width = len(name) * _WIDTH
        boxes = {side: _box(x, y, width, gap, *way) for side, way in _SIDES.items()}
        # Rounded: boxes that only touch are apart, and the first of equal sides is taken.
        covered = {
            side: round(_BEYOND * _outside(box) + sum(_overlap(box, other) for other in taken), 9)
            for side, box in boxes.items()
        }
        best = min(covered, key=covered.__getitem__)
        if covered[best] > _MOST_COVERED * width * _HEIGHT:
            chosen.append(None)
        else:
            taken.append(boxes[best])
            chosen.append(best)
    return chosen


def _spread(values: Sequence[float]) -> list[float]:
    """Onto [0, 1]; all in the middle if they are equal."""
    low, high = min(values, default=0.0), max(values, default=0.0)
    return [(value - low) / (high - low) if high > low else 0.5 for value in values]


def _box(x: float, y: float, width: float, gap: float, right: int, up: int) -> _Box:
    """Left, bottom, right and top of a name beside (x, y)."""
    centre_x = x + right * (width / 2 + gap)
    centre_y = y + up * (_HEIGHT / 2 + gap)
    return (centre_x - width / 2, centre_y - _HEIGHT / 2, centre_x + width / 2, centre_y + _HEIGHT / 2)


def _overlap(one: _Box, other: _Box) -> float:
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return max(wide, 0.0) * max(high, 0.0)


def _outside(box: _Box) -> float:
    """Area beyond the frame, which is a little larger than the points' own."""
    width, height = box[2] - box[0], box[3] - box[1]
    return width * height - _overlap(box, (-0.1, -0.1, 1.1, 1.1))
