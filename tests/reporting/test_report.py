import json
import re

import pytest
from plotly.offline import get_plotlyjs
from synthetic_results import make_result

from plismbench.dataset import DEMO, PLISM, Slide
from plismbench.leaderboard import leaderboards, published
from plismbench.reporting.report import report_html

SLIDES = tuple(Slide(staining, scanner) for staining in ("GM", "HR") for scanner in ("AT2", "P"))


def report(results, title=PLISM.title):
    """The document without plotly.js, and its figures."""
    document = report_html(title, leaderboards(results), results)
    assert document.count(get_plotlyjs()) == 1
    page = document.replace(get_plotlyjs(), "")
    return page, [json.loads(text) for text in re.findall(r'<script type="application/json">(.*?)</script>', page)]


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
        assert f"{row.rank} {row.name} {row.title} {row.score:.3f}".replace("0.", ".") in text
    assert len(figures) == 9
    options = re.findall(r"<option>(.*?)</option>", page)
    assert options == ["strong", "weak"] == [trace["name"] for trace in figures[5]["data"]]
    summary = results[1].summary.to_dicts()[0]
    assert f"{summary['median']:.3f} ({summary['iqr']:.3f})".replace("0.", ".") in text


def test_unlike_results_have_sections_and_pictures_of_their_own():
    results = [make_result("a", slides=SLIDES), make_result("b", slides=SLIDES, precision="bf16")]
    page, figures = report(results)
    assert [page.count(result.run.signature) for result in results] == [1, 1]
    assert "Ranking 1 of 2" in page
    assert len(figures) == 10
    assert [len(figure["data"]) for figure in figures[3:5]] == [1, 1]


def test_other_cut_offs_show_the_largest():
    page, figures = report([make_result(slides=SLIDES, ks=(1, 5))])
    assert "Top-5 accuracy of" in words(page)
    assert len(figures) == 4  # no scatter: it is defined by top-10


@pytest.mark.parametrize(
    ("dataset", "said", "not_said"),
    [(PLISM, ["serial sections", "46 tissues", "scores 1"], ["simulated"]),
     (DEMO, ["simulated stainings and scanners", "not PLISM", "scores 1"], ["serial sections"])],
)  # fmt: skip
def test_the_caveats_belong_to_the_data(dataset, said, not_said):
    page, _ = report([make_result(slides=SLIDES, dataset=dataset.name)], "title")
    text = words(page)
    assert all(part in text for part in said)
    assert not any(part in text for part in not_said)


def test_nothing_is_asked_of_the_network():
    page, _ = report([make_result(slides=SLIDES)])
    assert "default-src 'none'" in page
    assert not re.search(r"(src|href)\s*=|url\(|@import|https?:", page)


def test_names_of_others_are_text():
    name = "</script><script>alert(1)</script><!--\x1b[31m"
    page, figures = report([make_result(slides=SLIDES, extractor={"name": name, "title": name})])
    assert "alert(1)" in page
    assert "<script>alert" not in page
    assert "<!--" not in page.replace("<!DOCTYPE", "")
    assert "\x1b" not in page
    assert len(figures) == 5


def test_the_published_table_and_no_table_at_all():
    page = report_html(PLISM.title, [published()], []).replace(get_plotlyjs(), "")
    assert "published result" in page
    assert "<select" not in page
    assert "There is no result to show." in report_html(PLISM.title, [], [])
