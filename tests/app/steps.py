"""Steps in Blender's window: a generator of pauses, run from a timer, and pictures of the screen."""

from __future__ import annotations

import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import bpy

FOLDER = Path(__file__).resolve().parent
PICTURES = FOLDER / "pictures"
EXTENSION = "bl_ext.user_default.facetalk_blender"
TAB = "FaceTalk"
SIDEBAR_WIDTH = 300  # pixels
LONGEST_SECONDS = 900.0  # of one generation


def run(script: str, steps: Iterator[float]) -> None:
    """Run steps, which yield seconds to wait, once the window is there; then quit.

    The file SCRIPT.passed in FOLDER says that they came to their end.
    """

    def go_on() -> float | None:
        try:
            return next(steps)
        except StopIteration:
            Path(FOLDER, f"{Path(script).name}.passed").touch()
        except Exception:
            traceback.print_exc()
            picture("failure")
        bpy.ops.wm.quit_blender()
        return None

    bpy.context.preferences.view.show_splash = False
    # Panels beside the view instead of over it.
    bpy.context.preferences.system.use_region_overlap = False
    bpy.context.preferences.filepaths.use_auto_save_temporary_files = False
    bpy.app.timers.register(go_on, first_interval=2.0, persistent=True)


def say(text: str) -> None:
    """Write a line of the run's log."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def session() -> object:
    """What the extension knows of engine and generation."""
    return sys.modules[f"{EXTENSION}.facetalk_blender.generation.session"].session


def generated() -> Iterator[float]:
    """Wait until the generation has ended well."""
    began = time.perf_counter()
    generation = session().job
    while generation.running:
        assert time.perf_counter() - began < LONGEST_SECONDS, generation.stage_text
        yield 0.5
    assert generation.state.name == "DONE", generation.error
    yield 1.0


def area(kind: str = "VIEW_3D") -> bpy.types.Area:
    """The largest area of a kind of editor."""
    areas = [item for item in bpy.context.window_manager.windows[0].screen.areas if item.type == kind]
    return max(areas, key=lambda item: item.width * item.height)


def region(kind: str, editor: str = "VIEW_3D") -> bpy.types.Region:
    """A region of that area."""
    return next(item for item in area(editor).regions if item.type == kind)


def call(name: str, editor: str = "VIEW_3D", how: str = "INVOKE_DEFAULT", **properties) -> None:
    """Call an operator as its button would. Raises RuntimeError when it does not run."""
    group, function = name.split(".")
    window = bpy.context.window_manager.windows[0]
    with bpy.context.temp_override(window=window, area=area(editor), region=region("WINDOW", editor)):
        if "CANCELLED" in getattr(getattr(bpy.ops, group), function)(how, **properties):
            raise RuntimeError(f"{name} was cancelled")


def picture(name: str, part: bpy.types.Area | bpy.types.Region | None = None, height: int = 0) -> None:
    """Take PICTURES/name.png of an area or region, the upper `height` pixels of it; of the whole window without one."""
    window = bpy.context.window_manager.windows[0]
    crop = []
    if part is not None:
        kept = min(height or part.height, part.height)
        top = window.height - part.y - part.height
        crop = ["-crop", f"{part.width}x{kept}+{part.x}+{top}", "+repage"]
    shrunk = ["+dither", "-colors", "128", "-strip", "-define", "png:compression-level=9"]
    subprocess.run(["import", "-window", "root", *crop, *shrunk, f"png8:{PICTURES / name}.png"], check=True)


def open_sidebar(editor: str = "VIEW_3D", width: int = SIDEBAR_WIDTH) -> Iterator[float]:
    """Open the tab of the extension, and drag the sidebar to a width."""
    area(editor).spaces[0].show_region_ui = True
    yield 1.0
    region("UI", editor).active_panel_category = TAB
    yield 1.0
    yield from drag_sidebar(width, editor)


def click(x: int, y: int) -> Iterator[float]:
    """Click where a picture of the 3D viewport shows something: pixels from the left and the top."""
    window, shown = bpy.context.window_manager.windows[0], area()
    place = {"x": shown.x + x, "y": shown.y + shown.height - y}
    window.event_simulate(type="MOUSEMOVE", value="NOTHING", **place)
    yield 0.5
    window.event_simulate(type="LEFTMOUSE", value="PRESS", **place)
    window.event_simulate(type="LEFTMOUSE", value="RELEASE", **place)
    yield 1.0


def drag_sidebar(width: int, editor: str = "VIEW_3D") -> Iterator[float]:
    """Drag the sidebar's edge with the mouse."""
    window, sidebar = bpy.context.window_manager.windows[0], region("UI", editor)
    y = sidebar.y + sidebar.height // 3
    start, end = sidebar.x, sidebar.x + sidebar.width - width
    if start == end:
        return
    for x, kind, value in (
        (start, "MOUSEMOVE", "NOTHING"),
        (start, "LEFTMOUSE", "PRESS"),
        ((start + end) // 2, "MOUSEMOVE", "NOTHING"),
        (end, "MOUSEMOVE", "NOTHING"),
        (end, "LEFTMOUSE", "RELEASE"),
    ):
        window.event_simulate(type=kind, value=value, x=x, y=y)
        yield 0.3
    window.event_simulate(type="MOUSEMOVE", value="NOTHING", x=start - 200, y=y)
    yield 0.7
