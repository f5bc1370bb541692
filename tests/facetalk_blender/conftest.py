"""What tests inside Blender start from: an empty scene, a scripted engine, the enabled extension, a first take."""

import sys

import pytest
from blender_scene import START, bpy, speaking_strip
from registered_extension import enabled
from repository import SCRIPTED_ENGINE, import_from_extension


@pytest.fixture
def scene():
    """Factory settings, nothing in the file, 24 frames per second."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    yield bpy.context.scene
    bpy.ops.wm.read_factory_settings(use_empty=True)


@pytest.fixture
def client():
    """The scripted engine."""
    client_module = import_from_extension("facetalk_blender.engine_access.client")
    client = client_module.EngineClient(sys.executable, SCRIPTED_ENGINE)
    yield client
    client.stop()


@pytest.fixture
def registered(scene):
    """The extension enabled, with the scripted engine; its session."""
    with enabled() as session:
        yield session


@pytest.fixture
def settings(registered, tmp_path):
    """The scene's settings, with one take of a strip that starts at START."""
    strip = speaking_strip(bpy.context.scene, tmp_path, frame=START)
    found = bpy.context.scene.facetalk
    found.strip, found.output = strip.name, "FRAME_MESHES"
    assert bpy.ops.facetalk.generate() == {"FINISHED"}
    return found
