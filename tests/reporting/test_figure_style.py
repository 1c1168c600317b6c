from plismbench.reporting.figure_style import LONGEST_NAME, axis, layout, markup, names_axis, short_names, whole_name


def test_names_are_short_and_no_markup():
    evil, long = "<a>&\x1b", "x" * 200
    short = short_names(["uni", evil, long])
    assert short["uni"] == "uni"
    assert short[long] == "x" * 11 + "…" + "x" * 12
    assert len(short[long]) == LONGEST_NAME
    assert short[evil] == markup(evil) == "&lt;a&gt;&amp;�"


def test_checkpoints_of_one_run_stay_apart():
    names = [
        f"hospital-group/a-very-long-model-name-of-checkpoint-{n}-of-the-training-run-ema@0.9999" for n in range(12)
    ]
    shown = names_axis(names)["ticktext"]
    assert len(set(shown)) == 12
    assert "oint-7-of" in shown[7]
    assert max(map(len, shown)) <= LONGEST_NAME
    assert names_axis(["a", "a"])["ticktext"] == ["a", "a"]


def test_under_the_pointer_a_name_is_whole_in_lines_that_have_room():
    name = "hospital-group/" + "x" * 60 + "<b>"
    lines = whole_name(name).removeprefix("<b>").removesuffix("</b>").split("<br>")
    assert "".join(lines) == markup(name)
    assert max(map(len, lines)) <= 60


def test_grounds_are_transparent_and_axes_make_room():
    assert layout(300)["height"] == 300
    assert layout(300)["paper_bgcolor"] == layout(300)["plot_bgcolor"] == "rgba(0, 0, 0, 0)"
    assert axis("x")["title"]["text"] == "x"
    assert axis("x")["automargin"]
