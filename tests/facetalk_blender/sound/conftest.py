"""A recording that tells the moment of the file."""

import pytest
from ramp_recording import write_ramp


@pytest.fixture
def ramp(tmp_path):
    return write_ramp(tmp_path / "ramp.wav")
