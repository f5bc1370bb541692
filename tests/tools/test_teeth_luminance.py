"""Upper teeth are about as light as skin, also at a size that a test can render."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("bpy")
pytest.importorskip("torch")
ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_teeth_neither_glow_nor_vanish():
    command = [sys.executable, "tools/teeth_luminance.py", "--size", "64", "--samples", "4", "--light", "portrait"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=True).stdout
    (ratio,) = re.findall(r"portrait: .* ratio ([0-9.]+)", printed)
    assert 0.6 <= float(ratio) <= 1.2
