"""An official model that a test may damage."""

import shutil
from pathlib import Path

import pytest
from repository import PARITY


@pytest.fixture
def backward(tmp_path):
    """A copy of the small backward model that a test may damage."""
    return Path(shutil.copytree(PARITY / "nphm_backward_small", tmp_path / "model"))
