"""The saved file in Blender's window without the extension: it plays and renders."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from steps import FOLDER, PICTURES, area, picture, run


def steps() -> Iterator[float]:
    """All steps; each yield is a pause in seconds."""
    assert not any("facetalk" in name for name in bpy.context.preferences.addons.keys())
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "talking.blend"))
    yield 2.0
    scene = bpy.context.scene
    head = next(item for item in scene.objects if item.get("facetalk_strip") and not item.hide_viewport)
    shown = set()
    for frame in (2, 12, 24):
        scene.frame_set(frame)
        mesh = head.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
        places = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.attributes["position"].data.foreach_get("vector", places)
        shown.add(places.tobytes())
    assert len(shown) == 3
    scene.frame_set(12)
    yield 1.0
    picture("10-without-extension", area())
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising = 64, True
    scene.render.resolution_x, scene.render.resolution_y = 360, 360
    # So that the picture takes little room in the documentation.
    scene.render.image_settings.file_format = "JPEG"
    scene.render.filepath = str(PICTURES / "10-rendered.jpg")
    bpy.ops.render.render(write_still=True)
    assert Path(scene.render.filepath).stat().st_size > 10_000


run(__file__, steps())
