"""The extension as Blender sees it: manifest, registration, operators in background mode."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from blender_scene import bpy, speaking_strip, write_wav
from registered_extension import PACKAGE, drawn, module, panel_context
from repository import ROOT


def test_blender_accepts_the_manifest():
    script = Path(bpy.utils.resource_path("LOCAL")) / "scripts/addons_core/bl_pkg/cli/blender_ext.py"
    run = subprocess.run([sys.executable, script, "validate", ROOT], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def _registered_names():
    bases = (bpy.types.Operator, bpy.types.Panel, bpy.types.PropertyGroup, bpy.types.AddonPreferences)
    classes = {cls.__name__ for base in bases for cls in base.__subclasses__() if cls.is_registered}
    handlers = {name: len(getattr(bpy.app.handlers, name)) for name in ("load_pre", "render_init", "frame_change_pre")}
    return classes, handlers, hasattr(bpy.types.Scene, "facetalk")


def test_unregistering_leaves_nothing(scene, request):
    before = _registered_names()
    session = request.getfixturevalue("registered")
    assert _registered_names() != before
    registration = module("facetalk_blender.registration")
    registration.unregister()
    assert _registered_names() == before
    assert session._client is None
    registration.register()  # enabling again works, and the fixture disables


def test_the_session_keeps_nothing_over_disabling(registered, tmp_path):
    new, kept = type(registered)(), registered
    bpy.context.scene.facetalk.strip = speaking_strip(bpy.context.scene, tmp_path).name
    assert bpy.ops.facetalk.generate() == {"FINISHED"}
    kept.set_bundle_import(SimpleNamespace(cancel=lambda: None))
    kept.set_engine_task(SimpleNamespace(cancel=lambda: None))
    kept.question, kept.preview.problem = object(), "The preview failed."
    kept.refuse("It could not begin.")
    caches = module("facetalk_blender.generation.session").CACHES
    assert vars(caches[0]) != vars(type(caches[0])())  # the digest of the strip that was spoken
    registration = module("facetalk_blender.registration")
    registration.unregister()
    registration.register()  # the fixture disables
    named = {name: value for name, value in vars(kept).items() if name not in ("engine_root", "costs")}
    assert named == {name: vars(new)[name] for name in named}
    assert vars(kept.costs) == vars(new.costs)
    assert vars(caches[0]) == vars(type(caches[0])())


def test_load_sound_and_generate_in_background(registered, tmp_path):
    settings = bpy.context.scene.facetalk
    assert not bpy.ops.facetalk.generate.poll()
    bpy.ops.facetalk.load_sound(filepath=str(write_wav(tmp_path / "voice.wav", 1.0)))
    assert settings.strip == "voice"
    assert bpy.ops.facetalk.generate.poll()
    assert bpy.ops.facetalk.generate() == {"FINISHED"}
    assert bpy.context.scene.objects["FaceTalk voice"].data.shape_keys.animation_data  # the quick output
    assert not registered.busy()


def test_every_refusal_names_its_reason(registered, tmp_path):
    reasons = module("facetalk_blender.settings.reasons")
    assert "no sound strip" in reasons.disabled_reason(bpy.context)
    strip = speaking_strip(bpy.context.scene, tmp_path)
    bpy.context.scene.facetalk.strip = strip.name
    assert reasons.disabled_reason(bpy.context) == ""
    (tmp_path / "tone.wav").unlink()
    assert "missing" in reasons.disabled_reason(bpy.context)
    assert not bpy.ops.facetalk.cancel.poll()


def test_camera_and_lights_are_offered_only_to_an_empty_stage(registered):
    settings = bpy.context.scene.facetalk
    assert settings.add_stage
    bpy.context.scene.collection.objects.link(bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "POINT")))
    assert not settings.add_stage
    settings.add_stage = True
    assert settings.add_stage


@pytest.mark.parametrize("head", ["MEAN", "RANDOM", "FILE"])
def test_the_panel_shows_settings_reason_and_progress(registered, tmp_path, head):
    context = panel_context()

    def draw():
        return drawn("talking_head.FACETALK_PT_talking_head", context)

    context.scene.facetalk.head = head
    shown = draw()
    assert "facetalk.generate" in shown
    assert "no sound strip" in " ".join(shown)
    generation = module("facetalk_blender.generation.generation")
    strip = speaking_strip(bpy.context.scene, tmp_path)
    run = generation.Generation(registered.client(), strip, generation.Options(bundle="slow"))
    registered.set_job(run)
    assert "progress" in draw()
    assert "facetalk.cancel" in draw()
    run.fail("The engine stopped; try again.")
    context.scene.facetalk.strip = strip.name
    assert "The engine stopped;" in " ".join(draw())
    context.preferences = SimpleNamespace(addons={}, system=bpy.context.preferences.system)
    assert "for this session only" in " ".join(draw())


def test_an_engine_failure_is_an_operator_error(registered, tmp_path):
    strip = speaking_strip(bpy.context.scene, tmp_path)
    bpy.context.scene.facetalk.strip = strip.name
    bpy.context.preferences.addons[PACKAGE].preferences.bundle = str(tmp_path)
    bpy.context.preferences.addons[PACKAGE].preferences.engine_python = str(tmp_path / "none")
    with pytest.raises(RuntimeError, match="check it in the preferences"):
        bpy.ops.facetalk.generate()
