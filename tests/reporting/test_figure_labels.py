import pytest

from plismbench.reporting.figure_labels import label_places


def test_a_name_alone_stands_above_its_point():
    assert label_places([(3.0, 7.0)], ["a"], [9]) == ["top center"]
    assert label_places([], [], []) == []


def test_neighbours_get_out_of_each_others_way():
    corners = [(0, 0), (1, 1)]
    assert label_places([(0.5, 0.5), (0.5, 0.5), *corners], ["first", "second", "", ""], [9] * 4)[:2] == [
        "top center",
        "bottom center",
    ]


@pytest.mark.parametrize(("x", "side"), [(0.0, "right"), (1.0, "left")])
def test_a_long_name_does_not_leave_the_picture(x, side):
    place, _, _ = label_places([(x, 0.5), (0, 0), (1, 1)], ["x" * 40, "", ""], [9] * 3)
    assert side in place


def test_units_do_not_matter():
    points = [(0.1, 0.2), (0.12, 0.21), (0.5, 0.9), (0.48, 0.88), (0.9, 0.1)]
    names = ["one", "two", "three", "four", "five"]
    assert label_places([(1000 * x, 7 + y / 50) for x, y in points], names, [9] * 5) == label_places(
        points, names, [9] * 5
    )


def test_a_name_without_room_is_left_out():
    crowd = [(0.5, 0.5)] * 20
    places = label_places([*crowd, (0, 0), (1, 1)], ["checkpoint"] * 20 + ["", ""], [9] * 22)
    assert places[0] == "top center"
    assert None in places[:20]


def test_a_large_mark_covers_no_name_of_a_neighbour():
    points = [(0.4, 0.4), (0.5, 0.4), (0, 0), (1, 1)]
    names = ["", "neighbour", "", ""]
    assert label_places(points, names, [9, 9, 9, 9])[1] == "top center"
    assert label_places(points, names, [90, 9, 9, 9])[1] == "middle right"


def test_axes_that_reach_farther_bring_points_together():
    points = [(0, 0), (0.02, 0.02)]
    assert label_places(points, ["one", "two"], [9, 9]) == ["top center", "top center"]
    assert label_places(points, ["one", "two"], [9, 9], [(1, 1)]) != ["top center", "top center"]
