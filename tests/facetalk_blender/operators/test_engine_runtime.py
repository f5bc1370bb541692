"""The engine's buttons in the preferences: what they show, why they are disabled, and memory given back."""

import time
from types import SimpleNamespace

import pytest
from blender_scene import bpy, speaking_strip
from registered_extension import PACKAGE, CheckedLayout, module
from repository import ROOT


@pytest.fixture
def operators(registered):
    return module("operators.engine_runtime")


def shown():
    """Everything that the preferences show."""
    preferences = module("panels.preferences")
    chosen = bpy.context.preferences.addons[PACKAGE].preferences
    names = ("engine_python", "device", "bundle", "bundles")
    drawn = SimpleNamespace(layout=CheckedLayout(), bl_rna=chosen.bl_rna, **{n: getattr(chosen, n) for n in names})
    context = SimpleNamespace(region=SimpleNamespace(width=2000), preferences=bpy.context.preferences)
    preferences.FaceTalkPreferences.draw(drawn, context)
    return "\n".join(drawn.layout.shown)


class Waiting:
    """Stands for a program that runs until it is cancelled."""

    def __init__(self, module):
        class Task(module.BackgroundTask):
            def work(self):
                self.text = "Downloading example (1 of 2)"
                while True:
                    self.check_cancelled()
                    time.sleep(0.01)

        self.task = Task()


@pytest.fixture
def waiting(registered):
    task = Waiting(module("facetalk_blender.engine_access.background_task")).task
    registered.set_engine_task(task)
    task.start()
    yield task
    task.cancel()
    task.wait()


def test_installing_needs_consent_to_go_online(operators, tmp_path):
    system = bpy.context.preferences.system
    system.use_online_access = False
    assert "allow online access" in operators._online_reason()
    assert not bpy.ops.facetalk.install_engine_runtime.poll()
    assert bpy.ops.facetalk.install_engine_runtime_from_folder.poll()
    system.use_online_access = True
    assert bpy.ops.facetalk.install_engine_runtime.poll()
    with pytest.raises(RuntimeError, match="folder lacks torch"):
        bpy.ops.facetalk.install_engine_runtime_from_folder(directory=str(tmp_path))
    assert "folder lacks torch" in shown()


def test_a_task_under_way_is_shown_and_can_be_cancelled(operators, waiting):
    while not waiting.text:
        time.sleep(0.01)
    assert "facetalk.cancel_engine_task" in shown()
    assert "progress" in shown()
    for name in ("install_engine_runtime_from_folder", "check_engine", "remove_engine_runtime", "release_memory"):
        assert not getattr(bpy.ops.facetalk, name).poll()
    assert "Downloading example" in operators._busy_reason()
    bpy.ops.facetalk.cancel_engine_task()
    waiting.wait()
    assert waiting.cancelled
    assert "Cancelled" in shown()


def test_a_task_ends_with_the_extension(operators, waiting):
    registration = module("facetalk_blender.registration")
    registration.unregister()
    waiting.wait()
    registration.register()  # the fixture disables
    assert waiting.cancelled


@pytest.mark.slow
def test_the_report_is_shown_and_can_be_copied(registered, operators):
    assert not bpy.ops.facetalk.copy_engine_report.poll()
    registered.engine_root = ROOT
    assert bpy.ops.facetalk.check_engine() == {"FINISHED"}
    text = shown()
    assert "Packages: torch" in text
    assert "facetalk.copy_engine_report" in text
    assert "Runs on: Blender's own" in text
    assert bpy.ops.facetalk.copy_engine_report() == {"FINISHED"}


def test_a_python_that_is_not_there_is_named(operators, tmp_path):
    bpy.context.preferences.addons[PACKAGE].preferences.engine_python = str(tmp_path / "nothing")
    assert "check it in the preferences" in shown()
    with pytest.raises(RuntimeError, match="check it in the preferences"):
        bpy.ops.facetalk.check_engine()


@pytest.mark.slow
def test_memory_is_given_back_on_request_and_before_a_render(registered, tmp_path):
    scene = bpy.context.scene
    assert not bpy.ops.facetalk.release_memory.poll()
    scene.facetalk.strip = speaking_strip(scene, tmp_path, 0.2).name
    bpy.ops.facetalk.generate()
    assert registered.engine_alive()
    bpy.ops.facetalk.release_memory()
    assert not registered.engine_alive()
    bpy.ops.facetalk.generate()
    assert registered.engine_alive()
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 1
    scene.render.resolution_x = scene.render.resolution_y = 16
    bpy.ops.render.render()
    assert not registered.engine_alive()
