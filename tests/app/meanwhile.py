"""What a person does while a head is made: drops a sound before, goes to another workspace, cancels, undoes, quits."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).resolve().parent))
from steps import EXTENSION, FOLDER, LONGEST_SECONDS, area, call, generated, open_sidebar, picture, region, run, session

FRAMES = 2  # that are waited for before something is done


def steps() -> Iterator[float]:
    """All steps; each yield is a pause in seconds."""
    bpy.ops.preferences.addon_enable(module=EXTENSION)
    bpy.ops.wm.read_homefile()
    yield 2.0
    yield from open_sidebar()
    yield from drop_sound()
    yield from other_workspace_and_cancel()
    yield from undo()
    yield from quit_meanwhile()


def drop_sound() -> Iterator[float]:
    """What Blender calls for a file that falls on a viewport."""
    call("wm.drop_import_file", directory=f"{FOLDER}/", files=[{"name": "words.wav"}])
    yield 3.0  # panels move aside slowly
    scene = bpy.context.scene
    assert scene.facetalk.strip == "words", scene.facetalk.strip
    assert [strip.name for strip in scene.sequence_editor.strips] == ["words"]
    assert bpy.ops.facetalk.generate.poll()
    picture("meanwhile-dropped", area())


def begun(output: str) -> Iterator[float]:
    """Generate, and wait for some frames."""
    scene = bpy.context.scene
    scene.facetalk.output, scene.facetalk.quality = output, "PREVIEW"
    call("facetalk.generate")
    yield from arrived(FRAMES)


def arrived(count: int) -> Iterator[float]:
    """Until so many frames are there."""
    job, began = session().job, time.perf_counter()
    while job.written < count:
        assert job.running, job.error
        assert time.perf_counter() - began < LONGEST_SECONDS, job.stage_text
        yield 0.2


def look() -> tuple:
    """Where the viewport looks."""
    view = area().spaces[0].region_3d
    place = (*view.view_location, *view.view_rotation, view.view_distance)
    return view.view_perspective, [round(number, 5) for number in place]


def objects() -> tuple:
    """What the scene has, what is selected and what is active."""
    items = sorted((item.name, item.select_get()) for item in bpy.context.scene.objects)
    return items, bpy.context.view_layer.objects.active


def other_workspace_and_cancel() -> Iterator[float]:
    before, there = look(), objects()
    yield from begun("FRAME_MESHES")
    yield 1.0
    assert look() != before  # the head was brought into view
    picture("meanwhile-making", area())
    window, home = bpy.context.window_manager.windows[0], bpy.context.workspace
    window.workspace = bpy.data.workspaces["Animation"]
    yield from arrived(session().job.written + FRAMES)
    picture("meanwhile-other-workspace")
    window.workspace = home
    yield 1.0
    assert session().job.running
    call("facetalk.cancel")
    yield 1.0
    assert session().job.state.name == "CANCELLED"
    assert objects() == there, (objects(), there)
    assert look() == before
    assert not bpy.data.texts
    picture("meanwhile-cancelled", area())


def undo() -> Iterator[float]:
    """An edit beside it is undone; the finished frames stay, and the earlier head comes back on Cancel."""
    scene = bpy.context.scene
    scene.facetalk.output = "EXPRESSION_CURVES"
    call("facetalk.generate")
    yield from generated()
    finished = session().job.result_name
    yield from begun("FRAME_MESHES")
    assert bpy.data.objects[finished].hide_viewport
    cube = bpy.data.objects["Cube"]
    bpy.ops.ed.undo_push(message="Before")
    cube.location.x = 3.0
    bpy.ops.ed.undo_push(message="Move")
    written = session().job.written
    call("ed.undo")
    yield 0.5
    assert bpy.data.objects["Cube"].location.x == 0.0
    yield from arrived(written + 1)
    assert session().job.running, session().job.error
    region("UI").tag_redraw()
    yield 1.0
    picture("meanwhile-undone", area())


def quit_meanwhile() -> Iterator[float]:
    """The file is saved while a head is made; run.sh looks at it, and for the engine, once Blender has quit."""
    bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "meanwhile.blend"))
    yield 0.5
    assert session().job.running
    picture("meanwhile-saved", area())
    Path(FOLDER, "engine.pid").write_text(str(session()._client._process.pid))


run(__file__, steps())
