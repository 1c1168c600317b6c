"""The main job, end to end through the command line: tiles, vectors, numbers, ranking, report."""

import json
import re
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import oracle
import pytest
import torch
import transformers
from checkpoints import randomised
from loopback_hub import Fault, LoopbackHub
from small_plism import SMALL, png, publish_small_plism, published_rows, small_tiles, write_shards

from plismbench import dataset
from plismbench.dataset import DEMO, Slide
from plismbench.embeddings.store import EmbeddingStore
from plismbench.tiles.ids import ids_sha256
from plismbench.tiles.plism.layout import Layout
from plismbench.workspace import Workspace


@pytest.mark.slow
def test_the_demo_from_tiles_to_report(run, tmp_path):
    models = ["constant", "small-pixels", "color-stats"]
    assert run("extract", "--dataset=demo", "--model", ",".join(models)).code == 0
    evaluated = run("evaluate", "--dataset=demo", "--format=json")
    assert evaluated.code == 0
    told = {(row["model"], row["group"], row["metric"]): row for row in json.loads(evaluated.out)["rows"]}
    assert {model for model, _, _ in told} == set(models)
    # A constant fools the cosine and nothing else.
    assert told["constant", "all", "cosine"]["median"] == pytest.approx(1)
    assert told["constant", "all", "top_10"]["median"] == 0
    # Numbers of real tissue are those of the slow definition.
    store = EmbeddingStore.open(Workspace(tmp_path / "root", "demo").embeddings("small-pixels"))
    a, b = (store.read(slide).vectors for slide in sorted(DEMO.default_slides)[:2])
    pairs = run("evaluate", "--dataset=demo", "--model=small-pixels", f"--slides={_first_two()}", "--format=json")
    found = {row["metric"]: row["median"] for row in json.loads(pairs.out)["rows"] if row["group"] == "all"}
    assert found["cosine"] == pytest.approx(oracle.cosine(a, b), abs=1e-6)
    assert found["top_1"] == pytest.approx(oracle.accuracy(a, b, 1), abs=1e-12)
    boards = run("leaderboard", "--dataset=demo").out.splitlines()
    usual = next(number for number, line in enumerate(boards) if line.startswith("demo@1|slides:4-"))
    assert boards[usual + 2].split()[:2] == ["1", "small-pixels"]
    report = run("report", "--dataset=demo")
    assert report.code == 0
    assert all(model in (tmp_path / "root/demo/report.html").read_text() for model in models)


def _first_two():
    return ",".join(map(str, sorted(DEMO.default_slides)[:2]))


@pytest.fixture
def small_plism(hub, monkeypatch, tmp_path):
    """The command line's ``plism`` is six slides of 25 tiles on a Hub at loopback."""
    monkeypatch.setitem(dataset.DATASETS, "plism", SMALL)
    publish_small_plism(tmp_path / "hub")
    return hub


def test_plism_from_the_hub_to_the_leaderboard(run, small_plism, tmp_path):
    extracted = run("extract", "--model=mean-color", "--slides=all")
    assert extracted.code == 0, extracted.err
    store = EmbeddingStore.open(Workspace(tmp_path / "root", "plism").embeddings("mean-color"))
    for slide, batch in small_tiles().items():
        expected = (batch.pixels / 255).mean((1, 2))
        np.testing.assert_allclose(store.read(slide).vectors, expected, atol=1e-3)
        np.testing.assert_array_equal(store.read(slide).xy, batch.xy)
    assert run("evaluate", "--slides=all").code == 0
    board = run("leaderboard")
    assert "mean-color" in board.out
    assert board.err == ""


TINY = """
dim = 24
pooling = "cls"
prefix_tokens = 1
weights = "hf-hub:Org/Tiny"
revision = "1111111111111111111111111111111111111111"

[options]
architecture = "vit_small_patch16_224"
layout = "transformers"
img_size = 224
num_classes = 0
global_pool = ""
embed_dim = 24
depth = 2
num_heads = 2
"""


def test_a_model_of_transformers_from_its_repository_to_vectors(run, small_plism, tmp_path):
    """As Phikon is written; what its own class gives is what lies in the store."""
    sizes = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 96}
    config = transformers.ViTConfig(**sizes, layer_norm_eps=1e-6)
    network = randomised(transformers.ViTModel(config, add_pooling_layer=False))
    network.save_pretrained(tmp_path / "hub/models/Org/Tiny")
    (tmp_path / "tiny.toml").write_text(TINY)
    extracted = run("extract", f"--model={tmp_path}/tiny.toml", "--slides=GM_AT2", "--pooling=cls+mean")
    assert extracted.code == 0, extracted.err
    store = EmbeddingStore.open(Workspace(tmp_path / "root", "plism").embeddings("tiny+cls+mean"))
    batch = next(batch for slide, batch in small_tiles().items() if str(slide) == "GM_AT2")
    image = torch.from_numpy(batch.pixels).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(values)[:, None, None] for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.inference_mode():
        tokens = network(pixel_values=(image - mean) / std).last_hidden_state
    expected = torch.cat([tokens[:, 0], tokens[:, 1:].mean(1)], dim=1)
    found = store.read(next(slide for slide in small_tiles() if str(slide) == "GM_AT2")).vectors
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_downloaded_and_streamed_tiles_give_the_same_files(run, small_plism, tmp_path):
    roots = {way: tmp_path / way for way in ("stream", "tiles", "h5")}
    for way, root in roots.items():
        if way != "stream":
            assert run("download", "--slides=all", f"--layout={way}", "--root", root).code == 0
        small_plism.requests.clear()
        extracted = run("extract", "--model=color-stats", "--slides=all", "--root", root)
        assert extracted.code == 0
        assert (small_plism.requests == []) == (way != "stream")
        assert ("streamed from" if way == "stream" else f"read from {root}/plism/tiles/{way}/main") in extracted.err
        assert run("evaluate", "--slides=all", "--root", root).code == 0

    def files(root):
        """All but how long it took."""
        folder = root / "plism/embeddings/color-stats"
        return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "efficiency.json"}

    expected = files(roots["stream"])
    assert len(expected) == 1 + len(SMALL.slides)
    for root in roots.values():
        found = files(root)
        manifests = [json.loads(named.pop("manifest.json")) for named in (dict(expected), found)]
        commits = [manifest.pop("tiles_commit") for manifest in manifests]
        assert manifests[0] == manifests[1]
        assert (commits[0] == commits[1]) is (root.name != "h5")
        assert found == {name: content for name, content in expected.items() if name != "manifest.json"}
        assert run("leaderboard", "--root", root).out == run("leaderboard", "--root", roots["stream"]).out


def test_streaming_leaves_nothing_on_the_disk_and_goes_on_at_the_slide_where_it_stopped(run, small_plism, tmp_path):
    small_plism.faults.append(Fault(r"GET .*00004-of-00005\.parquet", status=404))
    stopped = run("extract", "--model=mean-color", "--slides=all", "--source=stream")
    assert stopped.code == 3
    assert stopped.error
    done = {path.stem for path in (tmp_path / "root/plism/embeddings/mean-color").glob("*.parquet")}
    assert 0 < len(done) < len(SMALL.slides)
    small_plism.faults.clear()
    small_plism.requests.clear()
    again = run("extract", "--model=mean-color", "--slides=all", "--source=stream")
    assert again.code == 0
    assert f"{len(done)} of {len(SMALL.slides)} slides are there already" in again.err
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and tmp_path / "hub" not in path.parents]
    assert {path.parent.name for path in kept} == {"mean-color"}


def push(hub):
    """Makes what ``main`` stands for another commit."""
    readme = hub.root / "datasets" / Layout.TILES.repo / "README.md"
    readme.write_text(f"{readme.exists() and readme.read_text()}pushed")


def test_what_is_pushed_between_two_models_changes_the_pixels_of_neither(run, small_plism, tmp_path):
    repo = Layout.TILES.repo
    before = small_plism.commit(tmp_path / "hub/datasets" / repo)
    assert run("extract", "--model=mean-color", "--slides=GM_AT2,GMH_S60").code == 0
    push(small_plism)
    small_plism.requests.clear()
    for later in ("--model=mean-color", "--model=color-stats", "--model=mean-color --existing=replace"):
        assert run("extract", "--slides=all", *later.split()).code == 0
    assert run("download", "--slides=GIV_P").code == 0
    asked = [request.path for request in small_plism.requests if request.path != "/api/whoami-v2"]
    assert asked
    assert [path for path in asked if before not in path] == []
    # A workspace of its own begins with the commit of this day.
    assert run("extract", "--model=small-pixels", "--slides=all", "--root", tmp_path / "other").code == 0
    manifest = json.loads((tmp_path / "other/plism/embeddings/small-pixels/manifest.json").read_text())
    assert manifest["tiles_commit"] == {repo: small_plism.commit(tmp_path / "hub/datasets" / repo)} != {repo: before}


def test_models_of_unlike_commits_never_share_a_table(run, small_plism, tmp_path):
    roots = {"mean-color": tmp_path / "root", "color-stats": tmp_path / "other"}
    for model, root in roots.items():
        assert run("extract", f"--model={model}", "--root", root).code == 0
        assert run("evaluate", f"--model={model}", "--root", root).code == 0
        push(small_plism)
    theirs = tmp_path / "theirs.zip"
    assert run("submit", "pack", "color-stats", "--output", theirs, "--root", roots["color-stats"]).code == 0
    assert run("submit", "add", theirs).code == 0
    told = json.loads(run("leaderboard", "--format=json").out)["boards"]
    boards = [(board["signature"].partition("|")[0], [row["name"] for row in board["rows"]]) for board in told]
    assert sorted(names for _, names in boards) == [["color-stats"], ["mean-color"]]
    assert all(re.fullmatch(r"plism@main:[0-9a-f]{12}", edition) for edition, _ in boards)
    compared = run("compare", "mean-color", "color-stats")
    assert (compared.code, "no signature in common: mean-color has plism@main:" in compared.error) == (2, True)


def test_a_finished_store_needs_no_network(run, small_plism):
    assert run("extract", "--model=mean-color", "--slides=all").code == 0
    small_plism.requests.clear()
    small_plism.faults.append(Fault("", status=500))
    again = run("extract", "--model=mean-color", "--slides=all")
    assert (again.code, "mean-color: nothing to do." in again.err) == (0, True)
    assert small_plism.requests == []


def test_a_slide_that_is_left_out_is_in_the_signature(run, small_plism):
    assert run("extract", "--model=mean-color", "--slides=all", "--exclude-slides=HR_SQ").code == 0
    assert run("evaluate", "--slides=all", "--exclude-slides=HR_SQ").code == 0
    assert run("evaluate", "--slides=all", "--exclude-slides=HR_SQ,GIV_P").code == 0
    signatures = [line for line in run("leaderboard").out.splitlines() if line.startswith("plism@main|")]
    assert [re.search(r"slides:(\d)-", line)[1] for line in sorted(signatures)] == ["4", "5"]
    missing = run("evaluate", "--slides=all")
    assert (missing.code, "lacks 1 of 6 slides: HR_SQ" in missing.error) == (2, True)


def test_a_dry_run_knows_what_would_be_streamed(run, small_plism):
    told = run("extract", "--model=mean-color", "--slides=all", "--dry-run")
    assert told.code == 0
    assert told.out.splitlines()[1].split() == ["fetch", "15", "MB"]  # 6 slides of 25 tiles of 99 kB
    assert [request.path for request in small_plism.requests] == [f"/api/datasets/{Layout.TILES.repo}/revision/main"]


def test_a_gated_model_is_one_line_and_leaves_nothing(run, small_plism, tmp_path):
    outcome = run("extract", "--model=h0-mini")
    assert outcome.code == 3
    assert "bioptimus/H0-mini" in outcome.error
    assert [path for path in (tmp_path / "root").rglob("*") if path.is_file()] == []


def test_results_of_another_revision_are_refused(run, small_plism, monkeypatch):
    run("extract", "--model=mean-color", "--slides=GM_AT2,GMH_S60")
    monkeypatch.setitem(dataset.DATASETS, "plism", replace(SMALL, revision="newer"))
    outcome = run("evaluate", "--slides=GM_AT2,GMH_S60")
    assert outcome.code == 2
    assert "tiles plism@main, not plism@newer" in outcome.error


@pytest.mark.slow
def test_a_data_set_of_ones_own_with_one_staining(run, monkeypatch, tmp_path):
    page = Path(__file__).parents[1] / "docs/own-data.md"
    (block,) = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(block, {})  # noqa: S102 - our own page
    own = "--dataset=rescans/dataset.toml"
    done = run("extract", own, "--model=small-pixels")
    assert done.code == 0, done.err
    assert f"3 slides of rescans, read from {tmp_path / 'rescans'}, on cpu" in done.err
    same = run("extract", "--dataset=demo", "--model=small-pixels", "--slides=HR_AT2,HR_P,HR_S60")
    assert same.code == 0
    for name in ("HR_AT2", "HR_P", "HR_S60"):
        ours, demo = (
            EmbeddingStore.open(Workspace(tmp_path / "root", data).embeddings("small-pixels")).read(Slide.parse(name))
            for data in ("rescans", "demo")
        )
        np.testing.assert_array_equal(ours.vectors, demo.vectors)
        np.testing.assert_array_equal(ours.xy, demo.xy)
    evaluated = run("evaluate", own, "--format=json")
    assert evaluated.code == 0, evaluated.err
    groups = {row["group"] for row in json.loads(evaluated.out)["rows"] if row["n_pairs"]}
    assert groups == {"cross-scanner", "all"}
    board = run("leaderboard", own)
    assert board.code == 0
    signature, _, row, *_ = board.out.splitlines()
    undefined, numbers = r"– +", r"-?\d?\.\d+ +"
    assert re.match(rf"– +small-pixels +{undefined}({numbers}){{4}}({undefined}){{2}}", row)
    assert board.err == (
        f"{signature}: No top-10 of cross-staining pairs, top-10 of cross-both pairs;"
        " without all four terms there is no score.\n"
    )
    description = tmp_path / "rescans/dataset.toml"
    lines = description.read_text().replace('"HR_P"', '"-"').replace('"HR_S60"', '"HR_P"').replace('"-"', '"HR_S60"')
    description.write_text(lines)  # a mistake is corrected, or another folder has a data set of this name
    for refused in (run("extract", own, "--model=small-pixels"), run("evaluate", own)):
        assert (refused.code, refused.out) == (2, "")
        assert "The files of HR_P, HR_S60 are not those that the vectors in " in refused.error
    assert run("extract", own, "--model=small-pixels", "--slides=HR_P,HR_S60", "--existing=replace").code == 0
    again = run("evaluate", own, "--format=json")
    assert (again.code, "evaluated already" in again.err) == (0, False)


def _image(change):
    def damage(row, rows):
        row["png"] = {"bytes": change(row["png"]["bytes"]), "path": "tile.png"}

    return damage


def _bomb(encoded):
    header = struct.pack(">4sIIBBBBB", b"IHDR", 30_000, 30_000, 8, 2, 0, 0, 0)
    return encoded[:8] + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)) + encoded[33:]


TILE = "tile tile_16_100_10 of slide GIVH_S60, row 4 of row group 3 of train-00000-of-00005.parquet"
PIXELS = np.zeros((224, 224, 4), dtype=np.uint8)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_image(lambda _: png(PIXELS[:200, :, :3])), f"Not 224 × 224 px but 224 × 200: {TILE}"),
        (_image(lambda _: png(PIXELS)), f"Not 8-bit RGB but 8-bit RGBA: {TILE}"),
        (_image(lambda _: png(PIXELS[..., 0])), f"Not 8-bit RGB but 8-bit grey: {TILE}"),
        (_image(lambda encoded: encoded[:400]), TILE),
        (_image(lambda encoded: encoded[:100] + bytes(50) + encoded[150:]), TILE),
        (_image(_bomb), f"Not 224 × 224 px but 30000 × 30000: {TILE}"),
        (lambda row, rows: row.update(tile_id="tile_16_8_7"), "The same tile twice: "),
        (lambda row, rows: row.update(tile_id="tile_16_8_8"), "Slide GIVH_S60 in train-0000"),
        (lambda row, rows: rows.remove(row), "Slide GIVH_S60 has 24 tiles"),
        (lambda row, rows: row.update(slide_id="../GIVH_S60_to_GMH_S60.tif"), "Not the id of a slide: '../GIVH_S60"),
        (lambda row, rows: [row.pop("tile_id") for row in rows], "has no column 'tile_id'"),
    ],
    ids=[
        "size", "alpha", "grey", "cut", "overwritten", "bomb", "twice", "elsewhere", "missing", "outside", "no column"
    ],
)  # fmt: skip
@pytest.mark.parametrize("source", ["stream", "local"])
def test_bad_data_are_named_and_never_become_a_vector(run, monkeypatch, tmp_path, source, damage, words):
    ids = [f"tile_16_{x}_{y}" for x, y in next(iter(small_tiles().values())).xy]
    monkeypatch.setitem(dataset.DATASETS, "plism", replace(SMALL, tiles_sha256=ids_sha256(ids)))
    rows = published_rows(small_tiles())
    damage(next(row for row in rows if row["slide_id"].startswith("GIVH_S60_to_")), rows)
    write_shards(tmp_path / "hub/datasets/owkin/plism-dataset-tiles", rows)
    with LoopbackHub(tmp_path / "hub") as hub, hub.in_this_process(tmp_path / "hf"):
        fetched = source == "local" and run("download", "--slides=GIVH_S60")
        outcome = run("extract", "--model=mean-color", "--slides=GIVH_S60", f"--source={source}")
    if fetched and "column" in words:  # nothing of such a shard is fetched
        assert (outcome.code, "plismbench download" in outcome.error) == (3, True)
        outcome = fetched
    assert outcome.code == 2
    assert words in outcome.error
    assert list((tmp_path / "root/plism/embeddings").rglob("*.parquet")) == []
