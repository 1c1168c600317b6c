import json
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from browser import CHROMIUM, Browser
from PIL import Image
from plotly.offline import get_plotlyjs
from synthetic_results import make_result

from plismbench.dataset import DEMO, PLISM, Slide
from plismbench.evaluation.failures import Failures, Query, Tile
from plismbench.leaderboard.leaderboard import leaderboards, published
from plismbench.pairs import Axis, SlidePair
from plismbench.reporting.printing import number
from plismbench.reporting.report import report_html, report_sections
from plismbench.results.aggregation import hardest_between

SLIDES = tuple(Slide(staining, scanner) for staining in ("GM", "HR") for scanner in ("AT2", "P"))


def report(results, title=PLISM.title, failures=()):
    """The document without plotly.js, and its figures."""
    document = report_html(title, leaderboards(results), results, failures)
    assert document.count(get_plotlyjs()) == 1
    page = document.replace(get_plotlyjs(), "")
    return page, [json.loads(text) for text in re.findall(r'<script type="application/json">(.*?)</script>', page)]


def failure(model, **changes):
    """A failure of a model of ``make_result``, with one query."""
    pixels = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    query, counterpart, *found = (Tile(slide, (1, 1), "skin", pixels, 0.5) for slide in (*SLIDES, SLIDES[0]))
    shown = Query(query, counterpart, 77, 59, tuple(found))
    signature = make_result(slides=SLIDES).run.signature
    told = Failures(model, signature, SlidePair(SLIDES[0], SLIDES[1]), Axis.SCANNER, 0, 10, 0.25, (shown,))
    return replace(told, **changes)


def words(page):
    return " ".join(re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL).split())


def test_ranking_summary_and_pictures_are_there():
    results = [make_result("weak", 0.3, SLIDES), make_result("strong", 0.7, SLIDES)]
    page, figures = report(results)
    text = words(page)
    assert "PLISM (46 tissues, 13 H&amp;E stainings × 7 scanners)" in text
    (board,) = leaderboards(results)
    assert board.signature in text
    for row in board.rows:
        assert f"{row.rank} {row.name} {row.title} 1.0 M · MIT {row.score:.3f}".replace("0.", ".") in text
    assert len(figures) == 10
    options = re.findall(r"<option>(.*?)</option>", page)
    assert options == ["strong", "weak"] == [trace["name"] for trace in figures[5]["data"]]
    summary = results[1].summary.to_dicts()[0]
    assert f"{summary['median']:.3f} ({summary['iqr']:.3f})".replace("0.", ".") in text


def test_what_breaks_a_model_stands_below_the_ranking():
    results = [make_result("weak", 0.3), make_result("strong", 0.7)]
    page, _ = report(results)
    text = words(page)
    (board,) = leaderboards(results)
    assert "by chance .0006" in text
    for result, row in zip(results, reversed(board.rows), strict=True):
        assert number(row.score_without_cosine) in text
        told = [
            f"{found.a} – {found.b} {number(found.median)}"
            for found in (hardest_between(result.summary, axis, "top_10") for axis in Axis)
        ]
        assert f"{row.name} {' '.join(told)}" in text


def test_slides_that_may_not_be_what_they_are_called_stand_below_the_ranking():
    result = make_result()
    first = pl.int_range(pl.len()) == 0
    copied = pl.when(first).then(1.0).otherwise("centred_cosine").alias("centred_cosine")
    text = words(report([replace(result, pairs=result.pairs.with_columns(copied))])[0])
    assert "Slides to look at GIV_AT2, GIV_GT450 have the same vectors: are they copies?" in text
    assert "Slides to look at" not in words(report([result])[0])


def test_others_that_break_a_model_as_much_are_counted():
    result = make_result()
    even = result.summary.with_columns(median=pl.lit(0.25))
    text = words(report([replace(result, summary=even)])[0])
    assert "AT2 – GT450, 14 more .250 GIV – GIVH, 14 more .250" in text  # of 6 scanners and 6 stainings
    said = "Those counted as “more” have the same median."
    assert said in text
    assert said not in words(report([result])[0])


def test_a_scanner_that_breaks_a_model_by_itself_is_named():
    result = make_result()
    group = pl.col("group")
    old = pl.when(group.str.contains("scanner .*S60")).then(0.015).when(group.str.starts_with("scanner")).then(0.9)
    text = words(report([replace(result, summary=result.summary.with_columns(median=old.otherwise("median")))])[0])
    assert "toy S60 .900 among the others .015 " in text
    assert "One that stands alone is harder" in text
    assert "counted as “more”" not in text
    assert "stands alone" not in words(report([result])[0])


def test_nothing_breaks_a_model_at_the_ceiling_and_the_best_that_something_breaks_is_shown_first():
    weak, *best = (make_result(name, level) for name, level in (("weak", 0.3), ("strong", 0.6), ("best", 0.9)))
    perfect = [replace(result, summary=result.summary.with_columns(median=pl.lit(0.9996))) for result in best]
    page, _ = report([weak, *perfect])
    text = words(page)
    assert "best nothing 1.000 nothing 1.000 strong nothing" in text
    assert "counted as “more”" not in text
    assert re.findall(r"<option( selected)?>(.*?)</option>", page) == [
        ("", "best"),
        ("", "strong"),
        (" selected", "weak"),
    ]
    assert "selected>" not in report(perfect)[0]


def test_names_are_whole_in_tables_and_in_the_selector():
    names = [f"hospital-group/a-very-long-model-name-of-checkpoint-{n}-of-the-training-run-ema@0.9999" for n in "12"]
    results = [make_result(name, slides=SLIDES) for name in names]
    page, _ = report(results, failures=[failure(name) for name in names])
    assert re.findall(r"<option>(.*?)</option>", page) == names
    # of the ranking, of what breaks it, of medians, of the selector and of failures
    assert [words(page).count(name) for name in names] == [5, 5]


def test_what_is_undefined_is_told():
    one = tuple(Slide("GM", scanner) for scanner in ("AT2", "P", "S60"))
    page, _ = report([make_result(slides=one)])
    said = "No top-10 of cross-staining pairs, top-10 of cross-both pairs; without all four terms there is no score."
    assert said in words(page)
    assert "without all four terms" not in words(report([make_result(slides=SLIDES)])[0])


def test_times_are_a_column_where_one_is_known():
    assert "10.1×" in words(report_html(PLISM.title, [published()], []))
    assert "one T4" in words(report_html(PLISM.title, [published()], []))
    assert "Time" not in words(report([make_result(slides=SLIDES)])[0])


def test_unlike_results_have_sections_and_pictures_of_their_own():
    results = [make_result("a", slides=SLIDES), make_result("b", slides=SLIDES, precision="bf16")]
    page, figures = report(results)
    assert [page.count(result.run.signature) for result in results] == [1, 1]
    assert "Ranking 1 of 2" in page
    assert len(figures) == 18
    assert [len(figure["data"]) for figure in figures[4:6]] == [1, 1]  # matrices of the one model


def test_other_cut_offs_show_the_largest():
    page, figures = report([make_result(slides=SLIDES, ks=(1, 5))])
    assert "Top-5 accuracy between scanners" in words(page)
    assert len(figures) == 7  # neither scatter nor forest: they are defined by top-10


@pytest.mark.parametrize(
    ("dataset", "said", "not_said"),
    [(PLISM, ["serial sections", "46 tissues", "HRH_S60 is out of focus", "scores 1"], ["simulated"]),
     (DEMO, ["simulated stainings and scanners", "not PLISM", "scores 1"], ["serial sections"])],
)  # fmt: skip
def test_the_caveats_belong_to_the_data(dataset, said, not_said):
    page, _ = report([make_result(slides=SLIDES, dataset=dataset.name)], "title")
    text = words(page)
    assert all(part in text for part in said)
    assert not any(part in text for part in not_said)


def test_nothing_is_asked_of_the_network():
    page, _ = report([make_result(slides=SLIDES)], failures=[failure("toy")])
    assert "default-src 'none'" in page
    assert page.count('src="data:image/jpeg;base64,') == page.count("<img") == 5
    assert not re.search(r"""(src|href)\s*=(?!"data:)|url\(|@import|https?:""", page)


def test_failures_stand_in_the_ranking_of_their_model():
    results = [make_result("weak", 0.3, SLIDES), make_result("strong", 0.7, SLIDES)]
    page, _ = report(results, failures=[failure("weak"), failure("strong", queries=(), problem="<No> vectors.")])
    text = words(page)
    assert "What failure looks like" in text
    assert text.index("strong, hardest scanners: GM_AT2 against GM_P") < text.index("weak, hardest scanners")
    assert "No pictures: &lt;No&gt; vectors." in text
    assert "query GM_AT2 skin counterpart rank 77 of 59 cosine .500 GM_P" in text
    assert re.findall(r'data-model="(\d)"', page) == ["0", "1"]
    assert "What failure looks like" not in words(report(results)[0])


def test_names_of_others_are_text():
    name = "</script><script>alert(1)//<!--\x1b[31m"
    page, figures = report([make_result(slides=SLIDES, extractor={"name": name, "title": name})])
    assert "alert(1)" in page
    assert "<script>alert" not in page
    assert "<!--" not in page.replace("<!DOCTYPE", "")
    assert "\x1b" not in page
    assert len(figures) == 9


def test_the_published_table_and_no_table_at_all():
    page = report_html(PLISM.title, [published()], []).replace(get_plotlyjs(), "")
    assert "published result" in page
    assert "<select" not in page
    assert "There is no result to show." in report_html(PLISM.title, [], [])


def test_sections_hold_the_pictures_that_are_defined():
    sections = report_sections([*leaderboards([make_result("a", slides=SLIDES)]), published()], [])
    assert [picture.title for picture in sections[0].overview] == ["Alike, and still told apart", "How sure a score is"]
    assert [picture.title for picture in sections[1].overview][2:] == [
        "Robustness against size", "Robustness against time",
    ]  # fmt: skip
    assert all(section.groups == section.matrices == () for section in sections)


needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium or Chrome is installed")
EVIL = "</script><img src=x onerror=alert(1)><b>\x1b[31m" + "n" * 200


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A report with everything in it, and strange names; where screenshots of it are kept."""
    results = [
        make_result("strong", 0.7, SLIDES),
        make_result("weak", 0.3, SLIDES),
        make_result("strange", 0.5, SLIDES, extractor={"name": EVIL, "title": EVIL, "n_params": 5_000_000}),
    ]
    kept = os.environ.get("PLISMBENCH_SCREENSHOTS")
    folder = Path(kept).resolve() if kept else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "report.html"
    failures = [failure(name) for name in ("strong", "weak", EVIL)]
    path.write_text(report_html(PLISM.title, [*leaderboards(results), published()], results, failures))
    return path


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with Browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_it_opens_in_a_browser(browser, page, width, scheme):
    browser.open(page, width=width, scheme=scheme)
    assert browser.complaints() == []
    assert browser.requests() == []
    drawn, figures = browser.run("[document.querySelectorAll('.figure svg.main-svg').length, figures.length]")
    assert figures == 3 + 2 + 5 + 4
    assert drawn >= figures
    assert browser.run("document.documentElement.scrollWidth <= innerWidth")
    elements = "document.querySelectorAll('b, :not(figure) > img').length"
    assert browser.run(elements) == 0  # no name became an element
    assert browser.run("[...document.images].every((image) => image.complete && image.naturalWidth === 112)")
    path = page.with_name(f"{width}-{scheme}.png")
    browser.screenshot(path)
    with Image.open(path) as image:
        assert abs(image.width - width) < 20
        corner = image.convert("L").getpixel((2, 2))
    assert corner > 200 if scheme == "light" else corner < 60


@needs_chromium
def test_the_heatmap_follows_the_selector(browser, page):
    labels = "document.querySelector('.chosen').querySelectorAll('.heatmap-label')"
    cells = f"[...{labels}].map((cell) => cell.textContent)"
    choose = "select.selectedIndex = 2; select.dispatchEvent(new Event('change'));"
    chosen = "figure.data.filter((trace) => trace.visible === true).map((trace) => trace.meta)"
    browser.open(page)
    before = browser.run(cells)
    assert len(before) == 2  # two scanners, either way round
    browser.run(f"{{ const select = document.querySelector('select'); {choose} }}")
    browser.run("new Promise((done) => setTimeout(done, 50))")
    assert browser.run(cells) != before
    shown = browser.run(f"[...document.querySelectorAll('.chosen')].map((figure) => {chosen})")
    assert [set(places) for places in shown] == [{2}] * 5
    panels = browser.run("[...document.querySelectorAll('.failure')].map((panel) => panel.offsetParent !== null)")
    assert panels == [False, False, True]
    assert browser.complaints() == []


@needs_chromium
def test_an_unheeded_error_or_request_would_be_seen(browser, tmp_path):
    path = tmp_path / "bad.html"
    path.write_text("<script>console.error('x'); fetch('http://127.0.0.1:9/'); undefined.x</script>")
    browser.open(path)
    assert len(browser.complaints()) >= 2
    assert browser.requests() == ["http://127.0.0.1:9/"]
