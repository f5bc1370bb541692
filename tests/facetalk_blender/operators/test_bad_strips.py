"""Strips and scenes that cannot speak: one clear sentence each, before anything is started."""

import pytest
from blender_scene import bpy, speaking_strip
from registered_extension import drawn, module


def reason():
    return module("facetalk_blender.settings.reasons").disabled_reason(bpy.context)


def check(*words):
    text = reason()
    assert all(word in text for word in words), text
    assert text.endswith(".")
    assert "\n" not in text
    assert not bpy.ops.facetalk.generate.poll()
    with pytest.raises(RuntimeError):
        bpy.ops.facetalk.generate()
    assert not [item for item in bpy.data.objects if "facetalk_strip" in item]


def panel(name="talking_head"):
    return drawn(f"talking_head.FACETALK_PT_{name}")


@pytest.fixture
def strip(registered, tmp_path):
    found = speaking_strip(bpy.context.scene, tmp_path)
    bpy.context.scene.facetalk.strip = found.name
    assert reason() == ""
    return found


def test_no_sequencer(registered):
    bpy.context.scene.sequence_editor_clear()
    check("no sound strip", "load a sound")


def test_a_sequencer_without_sound(registered):
    bpy.context.scene.sequence_editor_create()
    check("no sound strip", "load a sound")


def test_a_strip_that_was_not_chosen(strip):
    bpy.context.scene.facetalk.strip = ""
    check("Choose a sound strip")


def test_a_strip_that_was_deleted_or_renamed(strip):
    strip.name = "other"
    check("tone is gone", "choose a sound strip")


def test_a_strip_without_a_file(strip):
    strip.sound.filepath = ""
    check("missing", "External Data")


def test_a_file_that_was_moved(strip, tmp_path):
    (tmp_path / "tone.wav").rename(tmp_path / "moved.wav")
    check("missing", "External Data")
    strip.sound.filepath = str(tmp_path / "moved.wav")
    assert reason() == ""


def test_a_packed_sound_needs_no_file(strip, tmp_path):
    strip.sound.pack()
    (tmp_path / "tone.wav").unlink()
    assert reason() == ""
    assert bpy.ops.facetalk.generate() == {"FINISHED"}


def test_a_muted_strip(strip):
    strip.mute = True
    check("muted", "unmute")


def test_a_retimed_strip(strip):
    """Before anything is made of it, and after."""
    assert bpy.ops.facetalk.generate() == {"FINISHED"}
    in_sequencer("retiming_segment_speed_set", strip, speed=50.0)
    assert "retimed" in reason()
    assert "remove its retiming keys" in reason()
    assert "retimed" in " ".join(panel())
    assert not bpy.ops.facetalk.make_output.poll()
    in_sequencer("retiming_reset", strip)
    assert reason() == ""
    assert bpy.ops.facetalk.make_output() == {"FINISHED"}


def in_sequencer(name, strip, **options):
    """Run one of the sequencer's own operators on a strip."""
    scene = bpy.context.scene
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type, strip.select, scene.sequence_editor.active_strip = "SEQUENCE_EDITOR", True, strip
    with bpy.context.temp_override(window=window, area=area, region=area.regions[-1]):
        if hasattr(bpy.context.workspace, "sequencer_scene"):  # since 5.0
            bpy.context.workspace.sequencer_scene = scene
        assert getattr(bpy.ops.sequencer, name)(**options) == {"FINISHED"}


def test_a_strip_of_one_frame(strip):
    strip.frame_offset_end = 47
    check("shorter than", "lengthen")


def test_handles_beyond_the_sound(strip):
    """Left is only silence: said when it is tried, for a panel reads no file."""
    strip.frame_offset_start = -100
    strip.frame_offset_end = 60
    with pytest.raises(RuntimeError, match="No sound is heard"):
        bpy.ops.facetalk.generate()
    strip.select = True
    assert "No sound is heard" in " ".join(panel())
    assert "No sound is heard" in " ".join(panel("sequencer"))
    strip.frame_offset_start = strip.frame_offset_end = 0
    assert bpy.ops.facetalk.generate() == {"FINISHED"}
    assert "No sound is heard" not in " ".join(panel())


def test_a_file_that_is_no_sound_any_more(strip, tmp_path):
    (tmp_path / "tone.wav").write_text("not a sound")
    assert reason() == ""
    with pytest.raises(RuntimeError, match=r"move its handles|cannot|convert"):
        bpy.ops.facetalk.generate()


def test_a_linked_scene(strip, tmp_path):
    library = str(tmp_path / "library.blend")
    bpy.context.scene.name = "Linked"
    bpy.ops.wm.save_as_mainfile(filepath=library)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(library, link=True) as (_, wanted):
        wanted.scenes = ["Linked"]
    bpy.context.window.scene = bpy.data.scenes["Linked"]
    check("linked", "local")


@pytest.mark.slow
def test_linked_and_overridden_heads_are_left_alone(registered, tmp_path):
    strip = speaking_strip(bpy.context.scene, tmp_path)
    settings = bpy.context.scene.facetalk
    settings.strip, settings.add_stage = strip.name, False
    bpy.ops.facetalk.generate()
    library = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=library)
    bpy.ops.wm.read_homefile(use_empty=True)
    with bpy.data.libraries.load(library, link=True) as (_, wanted):
        wanted.objects = ["FaceTalk tone"]
    linked = bpy.data.objects["FaceTalk tone"]
    scene = bpy.context.scene
    scene.collection.objects.link(linked)
    override = linked.override_create()
    scene.collection.objects.link(override)
    override.location.x = 4.0
    strip = speaking_strip(scene, tmp_path)
    scene.facetalk.strip, scene.facetalk.add_stage = strip.name, False
    assert bpy.ops.facetalk.generate() == {"FINISHED"}
    assert not linked.hide_render
    assert not override.hide_render
    assert override.location.x == 4.0
    (own,) = [
        item for item in scene.objects if "facetalk_strip" in item and not item.library and not item.override_library
    ]
    assert own.location.x != 4.0
