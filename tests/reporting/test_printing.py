import csv
import io
import shutil
import subprocess

import pytest

from plismbench.reporting.printing import (
    Cell,
    Emphasis,
    TableFormat,
    caption,
    csv_text,
    document,
    duration,
    number,
    parameters,
    printable,
    remark,
    shortened,
    shortened_apart,
    size,
)


def test_control_characters_become_visible():
    assert printable("a\x1b[31mb\nc é") == "a�[31mb�c é"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.5414, ".541"),
        (1.0, "1.000"),
        (0.9996, "1.000"),
        (0.9994, ".999"),
        (-0.05, "-.050"),
        (10.5, "10.500"),
        (0, ".000"),
        (-0.0002, ".000"),
    ],
)
def test_numbers_print_as_in_the_published_tables(value, text):
    assert number(value) == text


def test_what_is_not_known():
    assert number(None) == parameters(None) == "–"
    assert parameters(85_739_520) == "85.7 M"
    assert parameters(1_134_774_272) == "1,134.8 M"


def test_markdown_numbers_end_under_one_another():
    head, rule, *_ = document(["model", "score"], [["a", ".5"]], TableFormat.MARKDOWN).splitlines()
    left, right = rule.strip("|").split("|")
    assert (left[0], right[-1]) == (":", ":")
    assert left[-1] == right[0] == "-"
    assert len(head) == len(rule)


def test_markdown_cells_cannot_leave_their_cell():
    lines = document(["model", "score"], [["a|b <i>\n", ".5"]], TableFormat.MARKDOWN).splitlines()
    assert lines[0].split("|")[1].strip() == "model"
    assert lines[2].startswith("| a\\|b &lt;i>� |")
    assert len(lines) == 3


def test_csv_reads_back():
    rows = [{"name": 'a,"b"\n', "value": 0.1}, {"name": "c", "value": None}]
    back = list(csv.DictReader(io.StringIO(csv_text(rows))))
    assert back == [{"name": 'a,"b"�', "value": "0.1"}, {"name": "c", "value": ""}]
    assert csv_text([]) == "\n"


@pytest.mark.parametrize(
    ("n_bytes", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (2_454_000_000, "2.5 GB"), (146_400_000_000, "146 GB")],
)
def test_sizes_are_in_powers_of_a_thousand(n_bytes, text):
    assert size(n_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (3_599, "59 min 59 s"), (5_400, "1 h 30 min")]
)
def test_durations_have_two_units(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize("text", ["[x](javascript:alert)", "**b**", "`c`", "a\\|b"])
def test_markdown_of_others_is_text(text):
    line = document(["model"], [[text]], TableFormat.MARKDOWN).splitlines()[2].strip("| ")
    assert line == "".join(f"\\{c}" if c in "\\`*[]|" else c for c in text)


def test_emphasis_in_every_document():
    row = [Cell("a", Emphasis.BEST), Cell("b", Emphasis.SECOND), "c"]
    found = {
        kind: document(["x", "y", "z"], [row], kind) for kind in list(TableFormat)[1:] if kind not in ("csv", "json")
    }
    assert found["markdown"].splitlines()[2].split() == ["|", "**a**", "|", "<ins>b</ins>", "|", "c", "|"]
    assert "<strong>a</strong></td>" in found["html"]
    assert "<u>b</u></td>" in found["html"]
    assert r"\textbf{a} & \underline{b} & c \\" in found["latex"]


def test_lines_around_a_table():
    assert caption("a`b", TableFormat.MARKDOWN) == "`a'b`"
    assert remark("a<b>\n", TableFormat.MARKDOWN) == "a&lt;b>�"
    assert caption("a<b>", TableFormat.HTML) == remark("a<b>", TableFormat.HTML) == "<p>a&lt;b&gt;</p>"
    assert caption("a\nb", TableFormat.LATEX) == "% a�b"


def test_long_names_keep_both_ends():
    assert shortened("a" * 40) == "a" * 40
    name = shortened("start" + "x" * 200 + "end")
    assert (len(name), name[:5], name[-3:]) == (40, "start", "end")


RUN = [f"hospital-group/a-very-long-model-name-of-checkpoint-{n}-of-the-training-run-ema@0.9999" for n in range(1, 13)]
GRID = [f"a{a}{'x' * 30}b{b}{'y' * 30}c{c}{'z' * 30}d{d}" for a in "12" for b in "12" for c in "12" for d in "12"]


@pytest.mark.parametrize("longest", [8, 19, 24, 40])
@pytest.mark.parametrize("names", [RUN, GRID, [*RUN, "uni", "", f"{RUN[0]} †"]])
def test_short_names_are_as_unlike_as_the_names(names, longest):
    short = shortened_apart(names, longest)
    assert list(short) == names
    assert len(set(short.values())) == len(names)
    assert max(map(len, short.values())) <= longest


def test_what_tells_names_apart_stays_and_their_ends():
    assert shortened_apart([*RUN[8:10], "uni"], 19) == {
        RUN[8]: "hos…int-9-of-…9999", RUN[9]: "hos…int-10-of-…9999", "uni": "uni",
    }  # fmt: skip
    assert shortened_apart(["start" + "x" * 200 + "end"], 40) == {
        "start" + "x" * 200 + "end": "start" + "x" * 14 + "…" + "x" * 17 + "end"
    }
    assert shortened_apart([f"{name} †" for name in RUN[:2]], 12)[f"{RUN[0]} †"] == "ho…t-1-o…9 †"


STRANGE = (
    r"all \ & % $ # _ { } ~ ^ < > | ' ` [x] * -- ---", "\x1b[31m evil\n", "Zürich–Málaga × ½ ≤ 3 µm “é” …", "[1]*2",
    "猫 модель 😀", "«Đþ»",
)  # fmt: skip


def test_letters_that_latex_lacks_are_numbers_and_the_others_themselves():
    text = document(["model"], [[name] for name in STRANGE], TableFormat.LATEX)
    lines = text.splitlines()[4:-2]
    assert lines[1] == r"U+FFFD{[}31m evilU+FFFD \\"
    assert lines[2] == r"Zürich\textendash{}Málaga × ½ U+2264 3 µm “é” … \\"
    assert lines[3] == r"{[}1]{*}2 \\"
    assert lines[4].startswith("U+732B U+043C")
    assert r"\textbar{}" in lines[0]
    assert lines[0].endswith(r"-{}- -{}-{}- \\")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex is installed")
def test_latex_compiles(tmp_path):
    table = document(["model", "95 % CI"], [[name, ".5–.6"] for name in STRANGE], TableFormat.LATEX)
    page = r"\documentclass{article}\usepackage{booktabs}\begin{document}"
    (tmp_path / "t.tex").write_text(f"{page}\n{table}\n\\end{{document}}\n", encoding="utf-8")
    if subprocess.run(["kpsewhich", "booktabs.sty"], capture_output=True).returncode:
        pytest.skip("LaTeX is here, and its package booktabs is not")
    done = subprocess.run(["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"],
                          cwd=tmp_path, capture_output=True)  # fmt: skip
    assert done.returncode == 0, done.stdout.decode("latin-1")[-2000:]
