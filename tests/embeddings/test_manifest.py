import json
from dataclasses import replace

import pytest
from stores import make_manifest

from plismbench.embeddings.manifest import known_commits, read_manifest, write_manifest
from plismbench.errors import CorruptFile, FingerprintMismatch


def test_it_reads_back(tmp_path):
    manifest = make_manifest(depth=3)
    write_manifest(tmp_path / "manifest.json", manifest)
    assert read_manifest(tmp_path / "manifest.json") == manifest
    assert (manifest.name, manifest.dim) == ("toy", 8)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"precision": "fp16"}, "precision fp16, not fp32"),
        ({"revision": "2"}, "tiles tiny@2, not tiny@1"),
        ({"depth": 3}, r"extractor toy \([0-9a-f]{16}\), not toy \([0-9a-f]{16}\)"),
        ({"name": "joy"}, "extractor joy"),
    ],
)
def test_what_does_not_belong_together_is_named(other, words):
    with pytest.raises(FingerprintMismatch, match=words) as caught:
        make_manifest().require_same(make_manifest(**other).identity, "here", hint="Do that.")
    assert caught.value.hint == "Do that."


def test_device_and_versions_do_not_matter():
    manifest = make_manifest()
    manifest.require_same(make_manifest().identity, "here", hint="")
    assert "device" not in manifest.identity


def test_a_model_is_asked_for_as_it_was_named():
    manifest = make_manifest()
    assert manifest.choice == "--model toy --dataset tiny"
    of_file = replace(manifest, model_option="/home/me/my model.py:load", dataset_option="/home/me/own.toml")
    assert of_file.choice == "--model '/home/me/my model.py:load' --dataset /home/me/own.toml"
    pooled = replace(of_file, extractor=manifest.extractor | {"name": "toy+mean", "pooling": "mean"})
    assert pooled.choice.startswith("--model '/home/me/my model.py:load' --pooling mean --dataset")
    assert of_file.identity == manifest.identity
    assert of_file.portable == manifest


@pytest.mark.parametrize(
    "text",
    ["{", '{"extractor": 3}', '{"extractor": {}, "fingerprint": "", "dataset": "", "revision": "", "precision": ""}'],
)
def test_damage_is_one_sentence(tmp_path, text):
    path = tmp_path / "manifest.json"
    path.write_text(text)
    with pytest.raises(CorruptFile, match=r"Cannot read .*manifest\.json.*Extract again"):
        read_manifest(path)


def test_commits_that_are_none_are_named(tmp_path):
    path = tmp_path / "manifest.json"
    write_manifest(path, make_manifest())
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tiles_commit": ["main"]}))
    with pytest.raises(CorruptFile, match=r"its tiles_commit is \['main'\]"):
        read_manifest(path)


def test_commits_are_known_from_stores_and_the_last_store_counts_most(tmp_path):
    told = {"a": {"org/tiles": "1" * 40, "org/h5": "2" * 40}, "b": {"org/tiles": "3" * 40}, "imported": {}}
    for name, commits in told.items():
        write_manifest(tmp_path / name / "manifest.json", replace(make_manifest(), tiles_commit=commits))
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "manifest.json").write_text("{")
    folders = [tmp_path / name for name in ("a", "b", "imported", "damaged", "none")]
    assert known_commits(folders) == {"org/tiles": "3" * 40, "org/h5": "2" * 40}
    assert known_commits(reversed(folders))["org/tiles"] == "1" * 40
    assert known_commits([]) == {}
