"""Settings of a scene: what is asked for when a number is the model's own, quality, colours that act at once."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from blender_scene import bpy
from registered_extension import drawn, head_of, module


@pytest.fixture
def options(registered):
    """What a generation would be asked for now."""
    preferences = bpy.context.preferences.addons["facetalk_installed"].preferences
    return lambda: bpy.context.scene.facetalk.options(preferences)


def test_numbers_are_the_models_own_until_they_are_ticked(options):
    settings = bpy.context.scene.facetalk
    assert (options().steps, options().guidance) == (None, None)
    settings.use_guidance = True
    assert options().guidance == 0.0  # no guidance at all is a choice, too
    settings.use_steps, settings.steps = True, 12
    assert options().steps == 12
    settings.use_steps = settings.use_guidance = False
    assert (options().steps, options().guidance) == (None, None)


def test_files_of_before_keep_their_numbers(options):
    settings = bpy.context.scene.facetalk
    settings.steps, settings.guidance = 7, 2.5
    assert (options().steps, options().guidance) == (7, 2.5)


def test_custom_quality_can_be_chosen_and_left(options):
    settings = bpy.context.scene.facetalk
    settings.quality = "CUSTOM"
    assert settings.quality == "CUSTOM"
    settings.quality = "PREVIEW"
    assert (settings.quality, options().resolution, options().steps) == ("PREVIEW", 64, 4)
    settings.quality = "STANDARD"
    assert (settings.quality, options().resolution, options().steps) == ("STANDARD", 128, None)
    settings.resolution = "256"
    assert settings.quality == "CUSTOM"


def test_colours_act_on_the_finished_head_at_once(settings):
    color = (0.1, 0.05, 0.02)
    head = head_of(settings.take)
    bpy.context.scene.facetalk_head.skin_color = color
    assert list(head["facetalk_skin_color"])[:3] == pytest.approx(color)
    assert list(bpy.data.materials["FaceTalk Skin"].diffuse_color)[:3] == pytest.approx(color)


def test_the_head_panel_says_that_sliders_act_on_the_next_head(settings):
    shown = drawn("head_identity.FACETALK_PT_head")
    assert "facetalk.make_output" in shown
    bpy.ops.facetalk.delete_take()
    assert "facetalk.make_output" not in drawn("head_identity.FACETALK_PT_head")


def test_style_presets_are_blenders_own(registered):
    style = module("facetalk_blender.settings.style")
    (folder,) = [path for path in bpy.utils.preset_paths(style.STYLE_PRESETS) if "facetalk_blender" in path]
    names = {path.stem: path for path in module("facetalk_blender.settings.style").Path(folder).glob("*.py")}
    assert set(names) == {"Broadcast", "Calm", "Mumbled", "Theatre"}
    for name, path in names.items():
        menu = "FACETALK_MT_style_presets"
        assert bpy.ops.script.execute_preset(filepath=str(path), menu_idname=menu) == {"FINISHED"}, name
        assert bpy.context.scene.facetalk.style.style().changes


def test_performance_presets_set_all_that_a_performance_is_asked_for(registered):
    performance = module("facetalk_blender.settings.performance")
    folders = [path for path in bpy.utils.preset_paths(performance.PERFORMANCE_PRESETS) if "facetalk_blender" in path]
    presets = sorted(Path(folders[0]).glob("*.py"), key=lambda path: path.stem == "Neutral")
    menu, asked = "FACETALK_MT_performance_presets", bpy.context.scene.facetalk.performance
    found = {}
    for path in presets:
        assert bpy.ops.script.execute_preset(filepath=str(path), menu_idname=menu) == {"FINISHED"}, path
        found[path.stem] = asked.controls(performance.PRESET_NAMES)
    assert found.pop("Neutral") == {}  # the last one takes back all that the others have set
    assert len({tuple(values.items()) for values in found.values()}) == len(found) == 7


def test_a_performance_is_kept_as_a_preset(registered, monkeypatch, tmp_path):
    monkeypatch.setattr(bpy.utils, "user_resource", lambda *_arguments, **_options: str(tmp_path))
    asked = bpy.context.scene.facetalk.performance
    asked.joy, asked.energy = 0.25, -0.5
    assert bpy.ops.facetalk.add_performance_preset(name="Own") == {"FINISHED"}
    asked.joy = asked.energy = 0.0
    kept, menu = str(tmp_path / "Own.py"), "FACETALK_MT_performance_presets"
    assert bpy.ops.script.execute_preset(filepath=kept, menu_idname=menu) == {"FINISHED"}
    assert (asked.joy, asked.energy) == (0.25, -0.5)


def test_try_it_speaks_a_sentence_of_its_own(registered):
    scene = bpy.context.scene
    for _ in range(2):
        assert bpy.ops.facetalk.try_it() == {"FINISHED"}
    assert [strip.name for strip in scene.sequence_editor.strips] == ["Try It"]
    assert scene.frame_end == 108
    assert module("facetalk_blender.sound.sentence").SENTENCE.stat().st_size < 50_000


def test_a_dropped_sound_is_loaded(registered, tmp_path):
    handler = bpy.types.FACETALK_FH_sound
    assert handler.bl_import_operator == "facetalk.load_sound"
    assert {".wav", ".mp3", ".m4a"} <= set(handler.bl_file_extensions.split(";"))


@pytest.mark.parametrize("output", ["SHAPE_KEYS", "EXPRESSION_CURVES"])
def test_sliders_act_on_a_finished_head_of_fixed_topology(settings, output):
    settings.output = output
    assert bpy.ops.facetalk.make_output() == {"FINISHED"}
    head = head_of(settings.take)
    preview = module("facetalk_blender.generation.head_preview")
    assert preview.live_heads(bpy.context.scene) == [head]
    keys = head.data.shape_keys.key_blocks
    before = [[tuple(point.co) for point in block.points] for block in keys]
    move = np.array((0.0, 0.01, 0.02))
    moved = np.array(before[0]) + move
    message = SimpleNamespace(arrays={"vertices": moved})
    preview.show_identity(bpy.context.scene, message)
    for block, points in zip(keys, before, strict=True):
        now = np.array([tuple(point.co) for point in block.points])
        np.testing.assert_allclose(now, np.array(points) + move, atol=1e-6)
    np.testing.assert_allclose([vertex.co for vertex in head.data.vertices], moved, atol=1e-6)
