from synthetic_results import make_result

from plismbench.dataset import Slide
from plismbench.errors import MissingPackage
from plismbench.results.result import write_result
from plismbench.workspace import Workspace

SLIDES = tuple(Slide(staining, scanner) for staining in ("GM", "HR") for scanner in ("AT2", "P"))


def test_the_report_is_written_and_its_path_printed(run, evaluated, tmp_path):
    outcome = run("report", "--dataset", "tiny")
    path = evaluated.report
    assert outcome.out == f"{path}\n"
    assert "good" in path.read_text()
    outcome = run("report", "--dataset", "tiny", "--output", tmp_path / "new" / "mine.html")
    assert outcome.out == f"{tmp_path / 'new' / 'mine.html'}\n"
    assert (tmp_path / "new" / "mine.html").exists()


def test_a_folder_is_no_place_for_the_page(run, extracted, tmp_path):
    outcome = run("report", "--dataset", "tiny", "--output", tmp_path)
    assert outcome.code == 2
    assert f"Invalid value for '--output': file '{tmp_path}' is a directory." in " ".join(outcome.err.split())


def test_nothing_to_report(run, tiny):
    outcome = run("report", "--dataset", "tiny")
    assert outcome.code == 2
    assert "plismbench evaluate --dataset tiny" in outcome.error


def test_published_results_are_a_section_of_plism_alone(run, evaluated, tmp_path):
    write_result(Workspace(tmp_path / "root", "plism").results("mine", "0"), make_result("mine", slides=SLIDES))
    run("report")
    page = (tmp_path / "root/plism/report.html").read_text()
    assert "Ranking 2 of 2" in page
    assert "published result" in page
    run("report", "--dataset", "tiny")
    assert "published result" not in evaluated.report.read_text()


def test_figures_go_to_the_folder_of_png(run, evaluated, tmp_path, monkeypatch):
    def write(folder, boards, results):
        assert [row.name for board in boards for row in board.rows] == ["good", "noise"]
        assert len(results) == 2
        return [folder / "1.png", folder / "2.png"]

    monkeypatch.setattr("plismbench.reporting.figure_files.write_pictures", write)
    outcome = run("report", "--dataset", "tiny", "--png", tmp_path / "figures")
    assert outcome.out.splitlines() == [str(evaluated.report), *(str(tmp_path / f"figures/{n}.png") for n in (1, 2))]


def test_png_without_its_package_is_one_line(run, evaluated, tmp_path, monkeypatch):
    def fail(*_):
        raise MissingPackage("--png needs a package.", hint="pip install plismbench[png]")

    monkeypatch.setattr("plismbench.reporting.figure_files.write_pictures", fail)
    outcome = run("report", "--dataset", "tiny", "--png", tmp_path)
    assert outcome.code == 3
    assert "plismbench[png]" in outcome.error
    assert evaluated.report.exists()  # the page does not wait for the pictures


def test_failures_are_shown_of_a_pair_or_of_none(run, evaluated):
    said = "There are no tiles of GM_AT2,HR_AT2 here. Run `plismbench download --slides GM_AT2,HR_AT2` to see them."
    outcome = run("report", "--dataset", "tiny", "--failures", "HR_AT2,GM_AT2")
    assert (outcome.code, evaluated.report.read_text().count(said)) == (0, 2)  # one a model
    assert "not found again" in outcome.err
    run("report", "--dataset", "tiny", "--failures", "none")
    assert "What failure looks like" not in evaluated.report.read_text()
    outcome = run("report", "--dataset", "tiny", "--failures", "GM_AT2")
    assert (outcome.code, outcome.out) == (2, "")
    assert "A pair is two different slides" in outcome.error
