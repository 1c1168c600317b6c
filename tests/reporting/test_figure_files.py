import builtins

import pytest
from browser import CHROMIUM
from PIL import Image
from synthetic_results import make_result

from plismbench.dataset import Slide
from plismbench.errors import MissingPackage
from plismbench.leaderboard.leaderboard import leaderboards, published
from plismbench.reporting.figure_files import write_pictures

SLIDES = tuple(Slide(staining, scanner) for staining in ("GM", "HR") for scanner in ("AT2", "P"))


@pytest.mark.filterwarnings("ignore")  # of the browser's driver
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium or Chrome is installed")
def test_the_main_figures_are_written_with_something_on_them(tmp_path):
    pytest.importorskip("kaleido", reason="kaleido is not installed: pip install plismbench[png]")
    results = [make_result("a", 0.6, SLIDES), make_result("b", 0.4, SLIDES)]
    paths = write_pictures(tmp_path / "new", [*leaderboards(results), published()], results)
    assert [path.name for path in paths] == [
        "1-alike-and-still-told-apart.png", "1-how-sure-a-score-is.png", "1-robustness-against-size.png",
        "1-top-10-accuracy.png", "1-cosine-similarity.png",
        "2-alike-and-still-told-apart.png", "2-how-sure-a-score-is.png", "2-robustness-against-size.png",
        "2-robustness-against-time.png",
    ]  # fmt: skip
    for path in paths:
        with Image.open(path) as image:
            assert image.width == 1_800
            colours = image.convert("RGB").getcolors(1 << 20)
            assert max(colours)[1] == (255, 255, 255)
            assert len(colours) > 20


@pytest.mark.parametrize("absent", ["kaleido", "choreographer"])
def test_what_must_be_installed_is_said(tmp_path, monkeypatch, absent):
    imported = builtins.__import__

    def without(name, *rest, **options):
        if name.partition(".")[0] == absent:
            raise ImportError(f"No module named '{name}'", name=name)
        return imported(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingPackage, match="--png needs a package") as caught:
        write_pictures(tmp_path, [published()], [])
    assert "pip install 'plismbench[png]'" in caught.value.hint
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("installed", [True, False])
def test_a_browser_must_start_too(tmp_path, monkeypatch, installed):
    pytest.importorskip("kaleido", reason="kaleido is not installed: pip install plismbench[png]")
    browser = tmp_path / "chromium"
    if installed:  # it starts nothing, as Ubuntu's does until its snap is there
        browser.write_text("#!/bin/sh\nexit 1\n")
        browser.chmod(0o755)
    monkeypatch.setenv("BROWSER_PATH", str(browser))
    with pytest.raises(MissingPackage, match="needs Chrome or Chromium"):
        write_pictures(tmp_path / "new", [published()], [])
    assert not (tmp_path / "new").exists()
