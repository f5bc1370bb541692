"""What the artist sees when something is wrong, in a narrow sidebar, in the light theme, and how the head is shaded."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from steps import (
    EXTENSION,
    FOLDER,
    LONGEST_SECONDS,
    SIDEBAR_WIDTH,
    area,
    call,
    drag_sidebar,
    open_sidebar,
    picture,
    region,
    run,
    session,
)

NARROW = 190  # pixels


def steps() -> Iterator[float]:
    """All steps; each yield is a pause in seconds."""
    bpy.ops.preferences.addon_enable(module=EXTENSION)
    bpy.ops.wm.open_mainfile(filepath=str(FOLDER / "talking.blend"))
    yield 2.0
    yield from open_sidebar()
    yield from wrong_choices()
    yield from unused_frames()
    yield from narrow_and_light()
    yield from shading()
    yield from engine_killed()


def refused(name: str, *words: str) -> Iterator[float]:
    """A picture of a disabled Generate whose reason holds the words."""
    reason = sys.modules[f"{EXTENSION}.facetalk_blender.settings.reasons"].disabled_reason(bpy.context)
    assert all(word in reason for word in words), reason
    region("UI").tag_redraw()
    yield 1.0
    picture(name, region("UI"))


def wrong_choices() -> Iterator[float]:
    scene = bpy.context.scene
    strip = next(iter(scene.sequence_editor.strips))
    path = strip.sound.filepath
    strip.sound.filepath = "//moved.wav"
    yield from refused("state-missing-file", "missing")
    strip.sound.filepath = path
    strip.mute = True
    yield from refused("state-muted", "muted")
    strip.mute = False
    scene.facetalk.strip = "gone"
    yield from refused("state-no-strip", "gone")
    scene.facetalk.strip = strip.name
    preferences = bpy.context.preferences.addons[EXTENSION].preferences
    preferences.engine_python = "/nowhere/python"
    yield from refused("state-no-python", "/nowhere/python")
    preferences.engine_python = ""


def unused_frames() -> Iterator[float]:
    """Frames that no take shows: what the panel offers, and what it asks before it deletes them."""
    package = f"{EXTENSION}.facetalk_blender"
    appearance = sys.modules[f"{package}.look.appearance"]
    usd_frame = sys.modules[f"{package}.outputs.frames.usd_frame"]
    regions = appearance.Regions(("skin",), np.full((3, 1), 255, np.uint8))
    corners, starts = np.arange(3, dtype=np.int32), np.zeros(1, np.int32)
    colors = appearance.DEFAULT_SKIN_COLOR, appearance.DEFAULT_EYE_COLOR
    look = appearance.Look.of(regions, corners[None], colors)
    folder = FOLDER / "talking_frames" / "words_Take_1_01"
    folder.mkdir(parents=True)
    for number in range(1, 25):
        frame = usd_frame.FrameMesh(np.eye(3, dtype=np.float32), corners, starts, look)
        usd_frame.write_frame(usd_frame.frame_path(folder, number), frame)
    yield 3.0  # panels look at the disk every few seconds
    region("UI").tag_redraw()
    yield 1.0
    window = bpy.context.window_manager.windows[0]
    middle = {"x": area().x + area().width // 2, "y": area().y + area().height // 2}
    window.event_simulate(type="MOUSEMOVE", value="NOTHING", **middle)
    yield 0.5
    call("facetalk.delete_unused_frames")
    yield 1.0
    picture("state-unused-frames", area())
    window.event_simulate(type="ESC", value="PRESS", **middle)
    yield 1.0
    assert folder.is_dir()
    bpy.ops.facetalk.delete_unused_frames()
    assert not folder.exists()


def engine_killed() -> Iterator[float]:
    """What was finished stays, and the next generation works again."""
    scene = bpy.context.scene
    before = {item.name for item in scene.objects}
    scene.facetalk.output, scene.facetalk.quality = "FRAME_MESHES", "STANDARD"
    call("facetalk.generate")
    generation = session().job
    began = time.perf_counter()
    while generation.written < 3:
        assert generation.running, generation.error
        assert time.perf_counter() - began < LONGEST_SECONDS, generation.error
        yield 0.1
    session()._client._process.kill()
    while generation.running:
        assert time.perf_counter() - began < LONGEST_SECONDS, generation.stage_text
        yield 0.1
    assert generation.state.name == "FAILED", generation.error
    assert "ended unexpectedly" in generation.error, generation.error
    assert before <= {item.name for item in scene.objects}
    yield 1.0
    picture("state-engine-killed", area())


def narrow_and_light() -> Iterator[float]:
    scene = bpy.context.scene
    yield from drag_sidebar(NARROW)
    for output in ("FRAME_MESHES", "EXPRESSION_CURVES"):
        scene.facetalk.output = output
        region("UI").tag_redraw()
        yield 1.0
        picture(f"state-narrow-{output.partition('_')[0].lower()}", region("UI"))
    yield from drag_sidebar(SIDEBAR_WIDTH)
    theme = next(Path(folder).glob("*ight*.xml") for folder in bpy.utils.preset_paths("interface_theme"))
    bpy.ops.script.execute_preset(filepath=str(next(theme)), menu_idname="USERPREF_MT_interface_theme_presets")
    yield 1.0
    picture("state-light", area())
    bpy.ops.preferences.reset_default_theme()
    yield 0.5


def shading() -> Iterator[float]:
    """The head as the viewport's three kinds of shading show it."""
    view = area().spaces[0]
    view.show_region_ui = False
    bpy.context.scene.frame_set(12)
    for kind, seconds in (("SOLID", 2.0), ("MATERIAL", 60.0), ("RENDERED", 60.0)):
        view.shading.type, view.overlay.show_overlays = kind, kind == "SOLID"
        yield seconds
        picture(f"shading-{kind.lower()}", area())
    view.shading.type, view.overlay.show_overlays, view.show_region_ui = "SOLID", True, True
    yield 1.0


run(__file__, steps())
