from plismbench.reporting.figure_style import LONGEST_NAME, axis, layout, markup, short_name


def test_a_name_is_short_and_no_markup():
    assert short_name("uni") == "uni"
    assert short_name("x" * 200) == "x" * (LONGEST_NAME - 1) + "…"
    assert short_name("<a>&\x1b") == markup("<a>&\x1b") == "&lt;a&gt;&amp;�"


def test_grounds_are_transparent_and_axes_make_room():
    assert layout(300)["height"] == 300
    assert layout(300)["paper_bgcolor"] == layout(300)["plot_bgcolor"] == "rgba(0, 0, 0, 0)"
    assert axis("x")["title"]["text"] == "x"
    assert axis("x")["automargin"]
