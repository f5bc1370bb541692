"""Whether EEVEE has a graphics processor to run on. Blender does not say without a window: a Blender of its own tries.

That other process prints the kind of device it rendered on; where there is no OpenGL or Vulkan at all, Blender ends the
whole process, which is why it is another one. This file is its script.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import bpy

ANSWER = "FaceTalk graphics device: "
NO_PROCESSOR = ("", "SOFTWARE", "UNKNOWN")
LONGEST = 60.0  # seconds for an answer


def has_processor() -> bool:
    """Whether a render with EEVEE or Workbench would run on a graphics processor."""
    if sys.platform == "linux" and not _linux_devices():
        return False
    blender = [bpy.app.binary_path, "--background", "--factory-startup", "--python"]
    program = blender if bpy.app.binary_path else [sys.executable]
    try:
        run = subprocess.run([*program, __file__], capture_output=True, text=True, timeout=LONGEST)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return _kind(run.stdout) not in NO_PROCESSOR


def _linux_devices() -> list[Path]:
    return [*Path("/dev/dri").glob("renderD*"), *Path("/dev").glob("nvidia[0-9]*")]


def _kind(printed: str) -> str:
    """The kind of device in what the other process printed; nothing if it came to no end."""
    lines = (line for line in printed.splitlines() if line.startswith(ANSWER))
    return next(lines, "").removeprefix(ANSWER).strip()


def _tell() -> None:
    """Render one tiny picture, after which Blender knows its graphics device, and print its kind."""
    import gpu

    scene = bpy.context.scene
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.render.resolution_x = scene.render.resolution_y = 16
    bpy.ops.render.render()
    print(ANSWER + gpu.platform.device_type_get(), flush=True)


if __name__ == "__main__":
    _tell()
