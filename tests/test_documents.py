"""What the documents say is true."""

import re
import runpy
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from plismbench import ExtractorSpec, errors
from plismbench.cli.app import app
from plismbench.extractors.catalog import CATALOG

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*/README.md")])


def identify(path):
    return str(path.relative_to(ROOT))


@cache
def options_of(command):
    done = CliRunner().invoke(app, [*command.split(), "--help"])
    assert done.exit_code == 0, f"plismbench {command}: {done.output}"
    return set(re.findall(r"--[a-z-]+", done.stdout))


COMMANDS = (
    "download|doctor|import|export|extract|evaluate|leaderboard|compare|submit (?:pack|add)|report|profile"
    "|models (?:check|show)|models"
)


@pytest.mark.parametrize("page", PAGES, ids=identify)
def test_commands_and_options_exist(page):
    for command, rest in re.findall(rf"plismbench ({COMMANDS})\b([^\n`|#]*)", page.read_text()):
        used = set(re.findall(r"--[a-z-]+", rest))
        assert used <= options_of(command), f"plismbench {command}{rest}"


@pytest.mark.parametrize("page", PAGES, ids=identify)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_pages_build(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site/metrics/index.html").exists()


def test_every_dependency_has_a_reason():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    required = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    page = (ROOT / "docs/dependencies.md").read_text()
    for requirement in required:
        name = re.match(r"[a-z0-9-]+", requirement)[0]
        assert re.search(rf"(?<![\w-]){name}(?![\w-])", page), name


def test_every_error_stands_beside_its_exit_code():
    rows = {row[0]: row[2] for row in re.findall(r"\| (\d) \| ([^|]+)\| ([^|]*)\|", (ROOT / "docs/cli.md").read_text())}
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.PlismbenchError) and kind is not errors.PlismbenchError:
            assert f"`{name}`" in rows[str(kind.exit_code)]


def blocks(language, page):
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


@pytest.mark.parametrize("page", ["README.md", "docs/add-an-extractor.md"])
def test_the_python_of_the_pages_gives_a_spec(page):
    (block,) = (block for block in blocks("python", page) if "SPEC" in block)
    names = {}
    exec(block, names)  # noqa: S102 - our own page
    assert isinstance(names["SPEC"], ExtractorSpec)
    if "load" in names:
        from torch import nn

        first, second = names["load"](names["SPEC"]), names["load"](names["SPEC"])
        assert isinstance(first, nn.Module)
        torch.testing.assert_close(first.state_dict(), second.state_dict(), rtol=0, atol=0)  # as `models check` wants


def test_the_toml_of_the_page_loads_a_training_state(tmp_path):
    from checkpoints import dino_training_state, randomised

    from plismbench.extractors.adhoc import toml_spec
    from plismbench.extractors.loaders import load_module
    from plismbench.extractors.towers import build_tower

    (block,) = re.findall(r"```toml\ndim(.*?)```", (ROOT / "docs/add-an-extractor.md").read_text(), re.DOTALL)
    (tmp_path / "teacher_checkpoint.pth").touch()
    (tmp_path / "my-model.toml").write_text(f"dim{block}")
    network = randomised(build_tower(toml_spec(tmp_path / "my-model.toml")))
    torch.save(dino_training_state(network), tmp_path / "teacher_checkpoint.pth")
    spec = toml_spec(tmp_path / "my-model.toml")
    assert spec.dim == network.num_features
    torch.testing.assert_close(load_module(spec).state_dict(), network.state_dict())


def test_the_loader_of_the_page_reads_what_its_toml_names(tmp_path):
    from plismbench.extractors.adhoc import toml_spec
    from plismbench.extractors.loaders import load_module

    page = "docs/add-an-extractor.md"
    (code,) = (block for block in blocks("python", page) if "MyNetwork" in block)
    (text,) = (block for block in blocks("toml", page) if "my_network.py" in block)
    (tmp_path / "my_network.py").write_text(
        f"def MyNetwork():\n    import torch\n    return torch.nn.Flatten()\n\n{code}"
    )
    (tmp_path / "my-network.toml").write_text(text)
    (tmp_path / "run").mkdir()
    fingerprints = set()
    for extra in ({}, {"_use_new_zipfile_serialization": False}):  # another file, replaced in place
        torch.save({}, tmp_path / "run/latest.pth", **extra)
        spec = toml_spec(tmp_path / "my-network.toml")
        assert isinstance(load_module(spec), torch.nn.Flatten)
        fingerprints.add(spec.fingerprint())
    assert len(fingerprints) == 2


def test_the_notice_tells_where_each_resource_is_from():
    folder = ROOT / "plismbench/resources"
    told = set(re.findall("^## (.*)", (folder / "NOTICE.md").read_text(), re.MULTILINE))
    assert {path.name for path in folder.iterdir()} - {"NOTICE.md", "report.html.jinja"} <= told


def test_no_placeholder_is_left():
    for page in PAGES:
        assert not re.search(r"\b[A-Z]+_TABLE\b", page.read_text()), page


def test_the_shared_sentence_of_ci_is_the_readmes_command():
    assert "make test" in (ROOT / ".ci/run").read_text()
    assert "make test" in (ROOT / "README.md").read_text()


def test_the_page_of_extractors_is_what_the_catalog_says():
    made = runpy.run_path(str(ROOT / "scripts/make_extractors_page.py"))["page"]()
    assert (ROOT / "docs/extractors.md").read_text() == made, "run scripts/make_extractors_page.py"
    for spec in CATALOG:
        assert f"| `{spec.name}` " in made
        assert spec.source in made
