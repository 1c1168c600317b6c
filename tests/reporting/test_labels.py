import pytest

from plismbench.reporting.labels import label_places


def test_a_name_alone_stands_above_its_point():
    assert label_places([(3.0, 7.0)], ["a"]) == ["top center"]
    assert label_places([], []) == []


def test_neighbours_get_out_of_each_others_way():
    corners = [(0, 0), (1, 1)]
    assert label_places([(0.5, 0.5), (0.5, 0.5), *corners], ["first", "second", "", ""])[:2] == [
        "top center",
        "bottom center",
    ]


@pytest.mark.parametrize(("x", "side"), [(0.0, "right"), (1.0, "left")])
def test_a_long_name_does_not_leave_the_picture(x, side):
    place, _, _ = label_places([(x, 0.5), (0, 0), (1, 1)], ["x" * 40, "", ""])
    assert side in place


def test_units_do_not_matter():
    points = [(0.1, 0.2), (0.12, 0.21), (0.5, 0.9), (0.48, 0.88), (0.9, 0.1)]
    names = ["one", "two", "three", "four", "five"]
    assert label_places([(1000 * x, 7 + y / 50) for x, y in points], names) == label_places(points, names)
