"""An empty scene, and the counts of all tests of faults in the end."""

import pytest
from fault_counts import COUNTS


@pytest.fixture
def scene():
    """Factory settings, nothing in the file, 24 frames per second."""
    bpy = pytest.importorskip("bpy")
    bpy.ops.wm.read_factory_settings(use_empty=True)
    yield bpy.context.scene
    bpy.ops.wm.read_factory_settings(use_empty=True)


def pytest_terminal_summary(terminalreporter):
    """Print what was counted."""
    for line in COUNTS:
        terminalreporter.write_line(line)
