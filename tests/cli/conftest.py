import pytest
from stores import make_dataset, make_store, make_vectors

from plismbench import dataset
from plismbench.workspace import Workspace


@pytest.fixture
def tiny(monkeypatch):
    """A data set of 6 slides and 30 tiles that the command line knows as ``tiny``."""
    registered = make_dataset()
    monkeypatch.setitem(dataset.DATASETS, "tiny", registered)
    return registered


@pytest.fixture
def extracted(tiny, tmp_path):
    """Two extracted models of the tiny data set, a good and a random one."""
    workspace = Workspace(tmp_path / "root", tiny.name)
    make_store(workspace.embeddings("good"), make_vectors(), name="good")
    noise = {slide: make_vectors(seed=seed)[slide] for seed, slide in enumerate(tiny.slides)}
    make_store(workspace.embeddings("noise"), noise, name="noise")
    return workspace


@pytest.fixture
def evaluated(run, extracted):
    """The same, evaluated."""
    assert run("evaluate", "--dataset", "tiny").code == 0
    return extracted
