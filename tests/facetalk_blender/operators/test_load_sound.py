"""Where Load Sound lays a strip, what the sequencer shows, and what is stored of the path."""

import os
import shutil
import sys

import pytest
from blender_scene import bpy, speaking_strip, write_wav
from registered_extension import module

SEQUENCER_HAS_A_SCENE = bpy.app.version >= (5, 0, 0)


def reason():
    return module("facetalk_blender.settings.reasons").disabled_reason(bpy.context)


def stored():
    return bpy.context.scene.sequence_editor.strips_all[0].sound.filepath


@pytest.fixture
def saved(registered, tmp_path):
    """A file with a recording beside it."""
    folder = tmp_path / "project"
    folder.mkdir()
    write_wav(folder / "line.wav")
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "shot.blend"))
    return folder


def test_the_path_is_relative_as_the_preference_says(saved, tmp_path):
    bpy.ops.facetalk.load_sound(filepath=str(saved / "line.wav"))
    assert stored() == "//line.wav"
    bpy.ops.wm.save_mainfile()
    shutil.move(saved, tmp_path / "moved")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "moved/shot.blend"))
    assert reason() == ""


def test_the_path_is_absolute_where_the_preference_says_so(saved):
    paths = bpy.context.preferences.filepaths
    paths.use_relative_paths = False
    bpy.ops.facetalk.load_sound(filepath=str(saved / "line.wav"))
    paths.use_relative_paths = True
    assert stored() == str(saved / "line.wav")


def test_the_path_is_absolute_in_a_file_that_was_never_saved(registered, tmp_path):
    bpy.ops.facetalk.load_sound(filepath=str(write_wav(tmp_path / "line.wav")))
    assert stored() == str(tmp_path / "line.wav")


def test_a_script_may_give_a_path_from_the_file(saved):
    assert bpy.ops.facetalk.load_sound(filepath="//line.wav") == {"FINISHED"}
    assert reason() == ""


@pytest.mark.skipif(sys.platform != "linux", reason="such names exist there only")
@pytest.mark.parametrize("name", [os.fsdecode(b"latin1_\xe9.wav"), "back\\slash.wav"], ids=["latin1", "backslash"])
def test_a_name_that_blender_cannot_store_is_told(saved, name):
    shutil.copy(saved / "line.wav", saved / name)
    with pytest.raises(RuntimeError, match="rename the file or its folders"):
        bpy.ops.facetalk.load_sound(filepath=str(saved / name))
    assert not module("facetalk_blender.sound.strip").sound_strips(bpy.context.scene)


@pytest.mark.skipif(not SEQUENCER_HAS_A_SCENE, reason="the sequencer shows the window's scene before 5.0")
class TestSequencerScene:
    @pytest.fixture
    def edit(self, registered, tmp_path):
        """Another scene, with a strip, which the sequencer shows."""
        scene = bpy.data.scenes.new("Edit")
        speaking_strip(scene, tmp_path).select = True
        bpy.context.workspace.sequencer_scene = scene
        yield scene
        bpy.context.workspace.sequencer_scene = None

    def test_the_panel_says_where_the_sound_is(self, edit):
        assert "lies in the scene Edit" in reason()

    def test_selected_strips_of_another_scene_are_refused(self, edit):
        with pytest.raises(RuntimeError, match="shows the scene Edit"):
            bpy.ops.facetalk.generate_selected()
        bpy.context.window.scene = edit
        assert bpy.ops.facetalk.generate_selected() == {"FINISHED"}
        assert len([item for item in edit.objects if "facetalk_strip" in item]) == 1

    def test_load_sound_shows_what_it_lays(self, edit, tmp_path):
        bpy.ops.facetalk.load_sound(filepath=str(tmp_path / "tone.wav"))
        assert bpy.context.workspace.sequencer_scene == bpy.context.scene
        assert len(bpy.context.sequencer_scene.sequence_editor.strips_all) == 1
        assert reason() == ""

    def test_load_sound_gives_an_empty_sequencer_its_scene(self, registered, tmp_path):
        bpy.context.workspace.sequencer_scene = None
        bpy.ops.facetalk.load_sound(filepath=str(write_wav(tmp_path / "line.wav")))
        assert bpy.context.workspace.sequencer_scene == bpy.context.scene
