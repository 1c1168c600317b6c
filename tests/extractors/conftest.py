import pytest
import torch


@pytest.fixture
def hub(hub, tmp_path, monkeypatch):
    """That of all tests; what torch downloads from elsewhere lies beside its cache."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "torch"))
    return hub
