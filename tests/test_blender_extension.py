"""The extension as Blender sees it: manifest, registration, operators in background mode."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from blender_scene import TESTS, bpy, scene, speaking_strip, write_wav  # noqa: F401

ROOT = TESTS.parent
PACKAGE = "facetalk_installed"


@pytest.fixture
def registered(scene):  # noqa: F811
    """The repository root enabled as an add-on, driven by the scripted engine."""
    specification = importlib.util.spec_from_file_location(
        PACKAGE, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    package = sys.modules[PACKAGE] = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(package)
    bpy.context.preferences.addons.new().module = PACKAGE
    package.register()
    session = importlib.import_module(f"{PACKAGE}.facetalk_blender.generation.session")
    session.ROOT = TESTS / "scripted_engine"
    yield session
    package.unregister()
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]


def test_blender_accepts_the_manifest():
    script = Path(bpy.utils.resource_path("LOCAL")) / "scripts/addons_core/bl_pkg/cli/blender_ext.py"
    run = subprocess.run([sys.executable, script, "validate", ROOT], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def _registered_names():
    bases = (bpy.types.Operator, bpy.types.Panel, bpy.types.PropertyGroup, bpy.types.AddonPreferences)
    classes = {cls.__name__ for base in bases for cls in base.__subclasses__() if cls.is_registered}
    handlers = {name: len(getattr(bpy.app.handlers, name)) for name in ("load_pre", "render_init", "frame_change_pre")}
    return classes, handlers, hasattr(bpy.types.Scene, "facetalk")


def test_unregistering_leaves_nothing(scene, request):  # noqa: F811
    before = _registered_names()
    session = request.getfixturevalue("registered")
    assert _registered_names() != before
    registration = importlib.import_module(f"{PACKAGE}.facetalk_blender.registration")
    registration.unregister()
    assert _registered_names() == before and session._client is None
    registration.register()  # enabling again works, and the fixture disables


def test_load_sound_and_generate_in_background(registered, tmp_path):
    settings = bpy.context.scene.facetalk
    assert not bpy.ops.facetalk.generate.poll()
    bpy.ops.facetalk.load_sound(filepath=str(write_wav(tmp_path / "voice.wav", 1.0)))
    assert settings.strip == "voice" and bpy.ops.facetalk.generate.poll()
    assert bpy.ops.facetalk.generate() == {"FINISHED"}
    assert bpy.context.scene.objects["FaceTalk voice"].modifiers and not registered.busy()


def test_every_refusal_names_its_reason(registered, tmp_path):
    generate = importlib.import_module(f"{PACKAGE}.operators.generate")
    assert "no sound strip" in generate.disabled_reason(bpy.context)
    strip = speaking_strip(bpy.context.scene, tmp_path)
    bpy.context.scene.facetalk.strip = strip.name
    assert generate.disabled_reason(bpy.context) == ""
    (tmp_path / "tone.wav").unlink()
    assert "missing" in generate.disabled_reason(bpy.context)
    assert not bpy.ops.facetalk.cancel.poll()


def test_camera_and_lights_are_offered_only_to_an_empty_stage(registered):
    settings = bpy.context.scene.facetalk
    assert settings.add_stage
    bpy.context.scene.collection.objects.link(bpy.data.objects.new("Lamp", bpy.data.lights.new("Lamp", "POINT")))
    assert not settings.add_stage
    settings.add_stage = True
    assert settings.add_stage


class CheckedLayout:
    """Stands for a UILayout: refuses properties and operators that do not exist, and records what is shown."""

    def __init__(self):
        self.shown = []

    def prop(self, data, name, **_options):
        assert name in data.bl_rna.properties
        self.shown.append(name)

    def operator(self, name, text="", **_options):
        group, operator = name.split(".")
        properties = getattr(getattr(bpy.ops, group), operator).get_rna_type().properties.keys()
        self.shown += [name, text]
        return SimpleNamespace(**dict.fromkeys(properties))

    def panel(self, _name, default_closed=False):
        return self, self

    def label(self, text="", **_options):
        self.shown.append(text)

    def progress(self, factor, **_options):
        assert 0 <= factor <= 1
        self.shown.append("progress")

    def column(self, **_options):
        return self

    row = box = column


@pytest.mark.parametrize("head", ["MEAN", "RANDOM", "FILE"])
def test_the_panel_shows_settings_reason_and_progress(registered, tmp_path, head):
    panels = importlib.import_module(f"{PACKAGE}.panels.talking_head")
    context = SimpleNamespace(
        scene=bpy.context.scene, region=SimpleNamespace(width=280), preferences=bpy.context.preferences
    )

    def draw():
        layout = CheckedLayout()
        panels.FACETALK_PT_talking_head.draw(SimpleNamespace(layout=layout), context)
        return layout.shown

    context.scene.facetalk.head = head
    shown = draw()
    assert "facetalk.generate" in shown and "no sound strip" in " ".join(shown)
    generation = importlib.import_module(f"{PACKAGE}.facetalk_blender.generation.generation")
    strip = speaking_strip(bpy.context.scene, tmp_path)
    run = generation.Generation(registered.client(), strip, generation.Settings(bundle="slow"))
    registered.set_generation(run)
    assert "progress" in draw() and "facetalk.cancel" in draw()
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
