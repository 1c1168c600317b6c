from plismbench.reporting.figure_style import LONGEST_NAME, axis, layout, markup, short_name


def test_a_name_is_short_and_no_markup():
    assert short_name("uni") == "uni"
    assert short_name("x" * 200) == "x" * 11 + "…" + "x" * 12
    assert len(short_name("x" * 200)) == LONGEST_NAME
    assert short_name("<a>&\x1b") == markup("<a>&\x1b") == "&lt;a&gt;&amp;�"


def test_checkpoints_of_one_architecture_stay_apart():
    steps = ["timm:vit_small_patch16_224@step100", "timm:vit_small_patch16_224@step200"]
    assert [short_name(name)[-7:] for name in steps] == ["step100", "step200"]


def test_grounds_are_transparent_and_axes_make_room():
    assert layout(300)["height"] == 300
    assert layout(300)["paper_bgcolor"] == layout(300)["plot_bgcolor"] == "rgba(0, 0, 0, 0)"
    assert axis("x")["title"]["text"] == "x"
    assert axis("x")["automargin"]
