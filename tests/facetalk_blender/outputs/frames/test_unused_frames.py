"""Frames that nothing shows any more are deleted on request, and nothing else ever is."""

import shutil
from types import SimpleNamespace

import pytest
from blender_scene import COUNT, bpy
from registered_extension import CheckedLayout, drawn, head_of, module

pytestmark = pytest.mark.slow


@pytest.fixture
def cached(settings, tmp_path):
    """A saved file with one take whose frames lie in head_frames; the folder of these."""
    settings.frames_in = "CACHE"
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "head.blend"))
    assert bpy.ops.facetalk.make_output() == {"FINISHED"}
    return folder_of(bpy.context.scene.facetalk.take)


def folder_of(text):
    return module("facetalk_blender.outputs.frames.frames_in_cache").cached_path(head_of(text)).parent


def unused():
    found = module("facetalk_blender.outputs.frames.unused_frames")
    found.LIKELY.clear()
    folders = found.unused_folders()
    assert bool(folders) <= found.likely()
    return [folder.path for folder in folders]


def panel():
    return drawn("takes.FACETALK_PT_takes")


def test_only_what_no_take_shows_goes(cached):
    text = bpy.context.scene.facetalk.take
    assert unused() == []
    assert "facetalk.delete_unused_frames" not in panel()
    assert not bpy.ops.facetalk.delete_unused_frames.poll()
    assert bpy.ops.facetalk.make_output() == {"FINISHED"}  # in a folder of its own; the earlier result is replaced
    assert unused() == [cached]
    assert "facetalk.delete_unused_frames" in panel()
    assert bpy.ops.facetalk.delete_unused_frames() == {"FINISHED"}
    assert not cached.exists()
    assert len(list(folder_of(text).glob("frame_0*"))) == COUNT + 1  # the head at rest is one more
    assert module("facetalk_blender.outputs.frames.frame_storage").cache_problem(head_of(text)) == ""
    assert unused() == []
    assert not bpy.ops.facetalk.delete_unused_frames.poll()


def test_without_takes_the_last_folder_can_go(cached):
    bpy.ops.facetalk.delete_take()
    assert not bpy.data.cache_files
    assert "facetalk.delete_unused_frames" in panel()
    assert bpy.ops.facetalk.delete_unused_frames() == {"FINISHED"}
    assert not cached.parent.exists()


def test_frames_that_a_hidden_take_or_an_artists_object_shows_stay(cached):
    bpy.ops.facetalk.vary_take()
    assert unused() == []
    bpy.ops.facetalk.delete_take()
    bpy.ops.cachefile.open(filepath=str(cached / "frame_00001.usdc"))  # the artist's own
    bpy.ops.facetalk.delete_take()
    assert cached not in unused()


def test_frames_that_a_linked_head_shows_stay(cached, tmp_path):
    """Its path starts from its own file, not from the opened one."""
    (tmp_path / "shots").mkdir()
    moved = shutil.move(cached.parent, tmp_path / "shots" / "shot_frames") / cached.name
    bpy.data.cache_files[0].filepath = f"//shots/shot_frames/{cached.name}/frame_00001.usdc"
    bpy.ops.wm.save_mainfile()
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "shots" / "shot.blend"))
    assert unused() == [moved]
    with bpy.data.libraries.load(str(tmp_path / "head.blend"), link=True) as (_, wanted):
        wanted.objects = ["FaceTalk tone"]
    assert unused() == []


@pytest.mark.parametrize("harm", ["another file", "a folder", "not FaceTalk's", "a link"])
def test_folders_that_hold_anything_else_stay(cached, tmp_path, harm):
    bpy.ops.facetalk.delete_take()
    if harm == "another file":
        (cached / "notes.txt").write_text("mine")
    elif harm == "a folder":
        (cached / "frame_00099.usdc").mkdir()
    elif harm == "a link":
        cached.rename(tmp_path / "elsewhere")
        cached.symlink_to(tmp_path / "elsewhere")
    else:
        for path in cached.iterdir():
            path.write_bytes(b"PXR-USDC" + bytes(200))
    assert unused() == []
    before = sorted(tmp_path.rglob("*"))
    if bpy.ops.facetalk.delete_unused_frames.poll():
        with pytest.raises(RuntimeError, match="by hand"):
            bpy.ops.facetalk.delete_unused_frames()
    assert sorted(tmp_path.rglob("*")) == before


def test_an_unsaved_file_is_asked_to_be_saved(settings):
    operator = module("operators.frame_storage").FACETALK_OT_delete_unused_frames
    told = []
    assert not operator.poll.__func__(SimpleNamespace(poll_message_set=told.append), bpy.context)
    assert "Save the file first" in told[0]
    assert unused() == []


def test_a_file_in_use_is_told(cached, monkeypatch):
    bpy.ops.facetalk.delete_take()
    unused()
    found = module("facetalk_blender.outputs.frames.unused_frames")

    def refuse(folder):
        raise PermissionError(13, "Permission denied", str(folder.path))

    monkeypatch.setattr(found, "delete", refuse)
    with pytest.raises(RuntimeError, match="Permission denied"):
        bpy.ops.facetalk.delete_unused_frames()


def test_the_dialog_says_what_goes_and_how_much_it_frees(cached):
    bpy.ops.facetalk.delete_take()
    operators, found = module("operators.frame_storage"), module("facetalk_blender.outputs.frames.unused_frames")
    layout = CheckedLayout()
    layout.separator = lambda: None
    asked = SimpleNamespace(layout=layout, _folders=found.unused_folders())
    operators.FACETALK_OT_delete_unused_frames.draw(asked, bpy.context)
    size = sum(path.stat().st_size for path in cached.iterdir())
    said = " ".join(layout.shown)
    assert str(cached.parent) in said
    assert f"{cached.name}: {COUNT + 1} frames" in said
    assert "cannot be undone" in said
    assert operators._size(asked._folders) in said
    assert asked._folders[0].size == size
