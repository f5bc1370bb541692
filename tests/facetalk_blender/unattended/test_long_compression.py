"""A file that is compressed as a whole opens in Blender, and is much smaller where its meshes are alike."""

import numpy as np
import pytest
from blender_scene import bpy
from repository import import_from_extension

long_compression = import_from_extension("facetalk_blender.unattended.long_compression")
output_files = import_from_extension("facetalk_blender.unattended.output_files")
COUNT, VERTICES = 6, 400_000


@pytest.fixture
def alike(scene):
    """Meshes of random values that hardly differ, in the file."""
    values = np.random.default_rng(0).integers(0, 2**31 - 1, VERTICES, np.int32)
    for number in range(COUNT):
        mesh = bpy.data.meshes.new(f"Alike {number}")
        mesh.use_fake_user = True
        mesh.vertices.add(VERTICES)
        values[1000 * number] = number
        mesh.attributes.new("value", "INT", "POINT").data.foreach_set("value", values)


def test_a_file_opens_and_is_small(alike, tmp_path):
    path = tmp_path / "scene.blend"
    output_files.save_file(path, path)
    assert [item.name for item in tmp_path.iterdir()] == ["scene.blend"]
    assert path.stat().st_size < 2 * 4 * VERTICES  # of six times as much
    bpy.ops.wm.open_mainfile(filepath=str(path))
    for number in range(COUNT):
        value = bpy.data.meshes[f"Alike {number}"].attributes["value"].data[1000 * number].value
        assert value == number


def test_without_zstandard_blender_compresses(alike, tmp_path, monkeypatch):
    monkeypatch.setattr(long_compression, "available", lambda: False)
    path = tmp_path / "scene.blend"
    output_files.save_file(path, path)
    assert 4 * VERTICES * COUNT * 0.9 < path.stat().st_size < 4 * VERTICES * COUNT * 1.5  # positions are zeros
    bpy.ops.wm.open_mainfile(filepath=str(path))
    assert len(bpy.data.meshes) == COUNT


def test_a_disk_that_takes_nothing_is_told(alike, tmp_path, monkeypatch):
    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(long_compression, "compress", full)
    with pytest.raises(import_from_extension("facetalk_blender.unattended.outcome").BatchError, match="make room"):
        output_files.save_file(tmp_path / "scene.blend", tmp_path / "head.blend")


def test_what_changes_while_a_file_is_compressed_is_not_in_it(alike, tmp_path):
    path = tmp_path / "scene.blend"
    wait = output_files.begin_saving(path, path)
    bpy.data.meshes["Alike 0"].name = "Renamed"
    wait()
    assert [item.name for item in tmp_path.iterdir()] == ["scene.blend"]
    bpy.ops.wm.open_mainfile(filepath=str(path))
    assert "Alike 0" in bpy.data.meshes and "Renamed" not in bpy.data.meshes
