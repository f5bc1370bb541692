"""A file that has a place on disk, where frames can lie beside it."""

import pytest
from blender_scene import START, bpy, speaking_strip


@pytest.fixture
def saved(scene, tmp_path):
    """A strip in a .blend file that has a place on disk."""
    folder = tmp_path / "project"
    folder.mkdir()
    strip = speaking_strip(scene, folder, frame=START)
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "head.blend"))
    return folder, bpy.context.scene.sequence_editor.strips_all[strip.name]
