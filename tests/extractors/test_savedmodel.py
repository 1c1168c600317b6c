import dataclasses
import re
import shutil
import sys
from importlib import import_module
from types import SimpleNamespace

import pytest
import torch
from command_line import run_command
from extras import needs_tensorflow

from plismbench.errors import AccessDenied, CorruptFile, InvalidInput, MissingPackage, NeedsAction, Unavailable
from plismbench.extractors import registry
from plismbench.extractors.checkpoints.locations import TRUST
from plismbench.extractors.inference.extractor import Extractor, load_extractor
from plismbench.extractors.inference.runner import Runner
from plismbench.extractors.loaders import load_module
from plismbench.extractors.savedmodel import SavedModel
from plismbench.extractors.spec import Precision

SPEC = registry.get("path-foundation")


@pytest.fixture(autouse=True)
def _allowed(monkeypatch):
    monkeypatch.setenv(TRUST, "1")
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A SavedModel of Path Foundation's shapes: mean colours of 8 × 16 rows and columns, side by side."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
        import_module("torch._dynamo")  # as the loader does
        import tensorflow as tf

    class Means(tf.Module):
        def __init__(self):
            super().__init__()
            self.scale, self.gain = tf.Variable([2.0, 3.0, 5.0]), tf.Variable(1.0)

        @tf.function(input_signature=[tf.TensorSpec((None, 224, 224, 3), tf.float32)])
        def serve(self, image):
            cells = tf.reduce_mean(tf.reshape(image, (-1, 8, 28, 16, 14, 3)), axis=[2, 4])
            return {"output_0": tf.reshape(cells * self.scale * self.gain, (-1, 384)), "other": image[:, 0, 0]}

    folder, means = tmp_path_factory.mktemp("saved"), Means()
    tf.saved_model.save(means, str(folder / "served"), signatures={"serving_default": means.serve})
    tf.saved_model.save(means, str(folder / "elsewhere"), signatures={"train": means.serve})
    return folder


def publish(network, tmp_path, kind="served"):
    folder = tmp_path / "hub/models/google/path-foundation"
    folder.parent.mkdir(parents=True)
    folder.symlink_to(network / kind)


def slow_means(pixels):
    """The same of one tile in [0, 1], pixel by pixel."""
    found = []
    for top in range(0, 224, 28):
        for left in range(0, 224, 14):
            cell = pixels[top : top + 28, left : left + 14].double()
            found += [float(cell[:, :, channel].mean()) * scale for channel, scale in enumerate((2, 3, 5))]
    return found


@needs_tensorflow
def test_tiles_between_0_and_1_give_the_output_that_the_spec_names(tmp_path, hub, network):
    publish(network, tmp_path)
    extractor = load_extractor(SPEC, "cpu", Precision.FP32)
    tiles = torch.randint(0, 256, (2, 224, 224, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    found = extractor(tiles.numpy())
    expected = torch.tensor([slow_means(tile / 255) for tile in tiles], dtype=torch.float64)
    torch.testing.assert_close(torch.from_numpy(found).double(), expected, rtol=1e-3, atol=0)  # float16 has 11 bits
    assert extractor.n_params == 4
    assert hub.requested("resolve/.*/variables/variables.index")


def test_a_graph_does_not_run_unless_it_is_allowed(hub, monkeypatch):
    monkeypatch.delenv(TRUST)
    with pytest.raises(NeedsAction, match="runs the TensorFlow graph of google/path-foundation, at its newest commit"):
        load_module(SPEC)
    assert hub.requests == []


@needs_tensorflow
def test_a_repository_that_is_not_granted_or_has_no_saved_model(tmp_path, hub):
    with pytest.raises(AccessDenied, match="google/path-foundation"):
        load_module(SPEC)
    (tmp_path / "hub/models/google/path-foundation").mkdir(parents=True)
    with pytest.raises(Unavailable, match=r"google/path-foundation has no saved_model\.pb"):
        load_module(SPEC)


@needs_tensorflow
def test_another_output_is_named(tmp_path, hub, network):
    publish(network, tmp_path)
    with pytest.raises(InvalidInput, match="gives other, output_0; extractor 'path-foundation' wants embedding"):
        load_module(dataclasses.replace(SPEC, options={"output": "embedding"}))


@needs_tensorflow
def test_tiles_of_another_size_and_a_graph_that_serves_nothing_are_named(tmp_path, hub, network):
    publish(network, tmp_path)
    with pytest.raises(
        InvalidInput, match=r"takes float32 \(None, 224, 224, 3\); .*@448' gives float32 \(n, 448, 448, 3\)"
    ):
        load_module(SPEC.variant(image_size=448))
    (tmp_path / "hub/models/google/path-foundation").unlink()
    (tmp_path / "hub/models/google/path-foundation").symlink_to(network / "elsewhere")
    with pytest.raises(InvalidInput, match="takes nothing as serving_default"):
        load_module(SPEC)


@needs_tensorflow
@pytest.mark.parametrize("spoilt", ["saved_model.pb", "variables/variables.index"])
def test_what_cannot_be_read_is_named_and_is_downloaded_again_as_the_hint_says(tmp_path, hub, network, spoilt):
    publish(network, tmp_path)
    load_module(SPEC)
    (found,) = (tmp_path / "hf").rglob(spoilt)
    found.resolve().write_bytes(b"spoilt")
    with pytest.raises(CorruptFile, match="TensorFlow cannot read") as caught:
        load_module(SPEC)
    assert "\n" not in str(caught.value)
    shutil.rmtree(re.fullmatch(r"Remove (\S+), so that it is downloaded again\.", caught.value.hint)[1])
    load_module(SPEC)


@needs_tensorflow
def test_too_little_memory_makes_batches_smaller():
    import tensorflow as tf

    def serve(image):
        if len(image) > 2:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        return {"output_0": tf.reduce_mean(image, axis=[1, 2])}

    serve.variables = []
    module = SavedModel(tf, SimpleNamespace(signatures={"serving_default": serve}), "output_0")
    spec = dataclasses.replace(SPEC, dim=3)
    runner = Runner(Extractor(spec, module, torch.device("cpu"), Precision.FP32), batch_size=8)
    vectors = runner.submit(torch.full((5, 224, 224, 3), 255, dtype=torch.uint8).numpy()).result().vectors
    assert (vectors.tolist(), runner.batch_size) == ([[1, 1, 1]] * 5, 2)


@needs_tensorflow
def test_tiles_on_a_gpu_that_tensorflow_does_not_have(tmp_path, hub, network, monkeypatch):
    import tensorflow as tf
    from pretended_gpu import pretended_gpu

    publish(network, tmp_path)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [])
    with pretended_gpu():
        extractor = load_extractor(SPEC, "cuda", Precision.FP32)
        with pytest.raises(NeedsAction, match="TensorFlow finds no GPU"):
            extractor(torch.zeros(1, 224, 224, 3, dtype=torch.uint8).numpy())


def test_without_tensorflow_the_extra_is_named(hub, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(MissingPackage, match=r"pip install 'plismbench\[tensorflow\]'"):
        load_module(SPEC)


@needs_tensorflow
def test_the_command_line_checks_it(tmp_path, hub, network, monkeypatch, capsys):
    publish(network, tmp_path)
    done = run_command(monkeypatch, capsys, "models", "check", SPEC.name, "--root", tmp_path / "root")
    assert done.code == 0, done.err
