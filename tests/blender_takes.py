"""A scene of the registered extension with one generated take, for tests of what takes can do."""

import importlib

import pytest
from blender_scene import bpy, scene, speaking_strip, write_wav  # noqa: F401
from test_blender_extension import PACKAGE, registered  # noqa: F401

START, COUNT = 11, 48


def module(name):
    return importlib.import_module(f"{PACKAGE}.{name}")


@pytest.fixture
def settings(registered, tmp_path):  # noqa: F811
    """The scene's settings, with one take of a strip that starts at START."""
    strip = speaking_strip(bpy.context.scene, tmp_path, frame=START)
    found = bpy.context.scene.facetalk
    found.strip = strip.name
    assert bpy.ops.facetalk.generate() == {"FINISHED"}
    return found


def head_of(text):
    (head,) = module("facetalk_blender.outputs.result").results_of_take(bpy.context.scene, text)
    return head
