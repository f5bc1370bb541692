"""A recording that tells the moment of the file."""

import codec_counts
import pytest
from ramp_recording import write_ramp


@pytest.fixture
def ramp(tmp_path):
    return write_ramp(tmp_path / "ramp.wav")


def pytest_terminal_summary(terminalreporter):
    """Print how well the sounds of the codecs were heard."""
    if line := codec_counts.line():
        terminalreporter.write_line(line)
