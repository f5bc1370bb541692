"""The quick start in Blender's window: install, generate, watch, scrub, change, save. A picture at each step."""

from __future__ import annotations

import sys
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from steps import (
    EXTENSION,
    FOLDER,
    LONGEST_SECONDS,
    area,
    call,
    click,
    generated,
    open_sidebar,
    picture,
    region,
    run,
    say,
    session,
)

VOICE_SECONDS = 1.2
# Pixels from the top of the viewport to the headers of two panels.
HEAD_Y, PERFORMANCE_Y = 453, 283


def steps() -> Iterator[float]:
    """All steps; each yield is a pause in seconds."""
    yield from install()
    yield from try_it()
    yield from load_sound()
    yield from generate()
    yield from change_take()
    yield from other_outputs()
    yield from save()


def install() -> Iterator[float]:
    bpy.data.batch_remove(bpy.context.scene.objects[:])
    bpy.ops.extensions.package_install_files(filepath=str(FOLDER / "facetalk_blender.zip"), repo="user_default")
    assert EXTENSION in bpy.context.preferences.addons
    yield 1.0
    area().type = "PREFERENCES"
    bpy.context.preferences.active_section = "ADDONS"
    bpy.context.window_manager.addon_search = "FaceTalk"
    yield 1.0
    bpy.ops.preferences.addon_expand(module=EXTENSION)
    area("PREFERENCES").tag_redraw()
    yield 1.0
    yield from engine_looked_at()
    area("PREFERENCES").tag_redraw()
    yield 1.0
    picture("01-installed", area("PREFERENCES"))
    area("PREFERENCES").type = "VIEW_3D"
    yield 1.0


def engine_looked_at() -> Iterator[float]:
    """Until the extension has checked and measured the engine, on its own."""
    began = time.perf_counter()
    while not known("EXPRESSION_CURVES"):
        assert time.perf_counter() - began < LONGEST_SECONDS
        yield 0.5
    assert session().engine_task.problem == ""
    say(f"checked and measured in {time.perf_counter() - began:.1f} s")


def known(output: str) -> bool:
    """Whether the panel's promise for an output rests on what this computer was measured to take."""
    costs = sys.modules[f"{EXTENSION}.facetalk_blender.generation.costs"]
    return session().costs.known(costs.Workload("auto", output, 64))


def promised() -> object:
    """What the panel promises."""
    estimate = sys.modules[f"{EXTENSION}.facetalk_blender.generation.estimate"].estimate
    settings = bpy.context.scene.facetalk
    strip = bpy.context.scene.sequence_editor.strips[settings.strip]
    return estimate(bpy.context.scene, strip, "auto", "", settings.frame_storage(500))


def told(promise: object, cold: bool) -> None:
    """Compare a promise with what it took: within a factor of 1.5, and some seconds of Blender's own."""
    run = session().job
    seconds = sum(run.seconds.values())
    expected = promise.seconds + (run._expected.start if cold else 0.0)
    say(
        f"promised {expected:.1f} s ({promise}), took {seconds:.1f}: {run.seconds}, first {run.first_frame_seconds:.1f}"
    )
    if not expected / 1.5 - 2.0 < seconds < 1.5 * expected + 2.0:
        say("WRONG PROMISE")


def try_it() -> Iterator[float]:
    """A head that speaks, one click after the panel was opened."""
    assert not bpy.ops.facetalk.generate.poll()
    yield from open_sidebar()
    picture("02-panel", area())
    began = time.perf_counter()
    call("facetalk.try_it")
    promise = promised()
    yield from generated()
    told(promise, cold=True)
    say(f"spoke after {time.perf_counter() - began:.1f} s")
    scene = bpy.context.scene
    assert scene.frame_end == 108
    scene.frame_set(14)
    yield 1.0
    picture("02-try-it", area())
    scene.facetalk_head.skin_color = (0.09, 0.035, 0.02)
    yield 1.0
    picture("02-colors", area())
    scene.facetalk_head.skin_color = (0.60, 0.325, 0.23)
    session().stop_engine()
    bpy.ops.facetalk.delete_take()
    strips = scene.sequence_editor.strips
    strips.remove(strips[0])
    scene.facetalk.strip = ""
    scene.frame_set(1)
    yield 0.5


def load_sound() -> Iterator[float]:
    bpy.context.scene.facetalk.output = "FRAME_MESHES"
    yield 1.0
    yield from click(930, HEAD_Y)
    picture("03-head", region("UI"))
    yield from click(930, HEAD_Y)
    yield from click(930, PERFORMANCE_Y)
    picture("03-performance", region("UI"), 555)
    yield from click(930, PERFORMANCE_Y)
    call("facetalk.load_sound", how="EXEC_DEFAULT", filepath=str(short_voice()))
    region("UI").tag_redraw()
    yield 1.0
    picture("03-sound", region("UI"), 520)


def short_voice() -> Path:
    """The first words of the recording."""
    path = FOLDER / "words.wav"
    with wave.open(str(FOLDER / "voice.wav")) as whole, wave.open(str(path), "wb") as part:
        part.setparams(whole.getparams())
        part.writeframes(whole.readframes(int(VOICE_SECONDS * whole.getframerate())))
    return path


def generate() -> Iterator[float]:
    began = time.perf_counter()
    promise = promised()
    call("facetalk.generate")
    run = session().job
    assert run is not None
    assert run.running
    pictured = set()
    while run.running:
        assert time.perf_counter() - began < LONGEST_SECONDS, run.stage_text
        for number, share in ((4, 0.02), (5, 0.45)):
            if run.fraction > share and (number == 4 or run.written > 3) and number not in pictured:
                pictured.add(number)
                if number == 5:
                    bpy.context.scene.frame_set(2)
                    yield 1.0
                picture(f"0{number}-{'starting' if number == 4 else 'arriving'}", area())
        yield 0.5
    assert run.state.name == "DONE", run.error
    assert pictured == {4, 5}
    told(promise, cold=False)
    head = bpy.data.objects[run.result_name]
    yield 1.0
    picture("06-finished", area())
    assert len({vertices(head, frame) for frame in (2, 12, 24)}) == 3
    bpy.context.scene.frame_set(12)
    yield 1.5
    picture("07-scrubbed", area())


def vertices(head: bpy.types.Object, frame: int) -> bytes:
    """What the viewport shows of a head at a frame."""
    bpy.context.scene.frame_set(frame)
    mesh = head.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
    shown = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.attributes["position"].data.foreach_get("vector", shown)
    return shown.tobytes()


def change_take() -> Iterator[float]:
    scene = bpy.context.scene
    picture("08-takes", region("UI"))
    scene.use_preview_range, scene.frame_preview_start, scene.frame_preview_end = True, 8, 14
    yield 0.5
    call("facetalk.regenerate_range")
    yield from generated()
    picture("08-range", area())
    scene.use_preview_range = False


def other_outputs() -> Iterator[float]:
    scene = bpy.context.scene
    area().type = "SEQUENCE_EDITOR"
    bpy.context.workspace.sequencer_scene = scene
    yield 1.0
    yield from open_sidebar("SEQUENCE_EDITOR")
    picture("09-sequencer", area("SEQUENCE_EDITOR"))
    area("SEQUENCE_EDITOR").type = "VIEW_3D"
    yield 1.0
    scene.facetalk.output = "EXPRESSION_CURVES"
    yield 0.5
    call("facetalk.make_output")
    yield from generated()
    scene.frame_set(12)
    yield 1.0
    picture("09-curves", area())


def save() -> Iterator[float]:
    bpy.ops.preferences.addon_disable(module=EXTENSION)
    bpy.ops.wm.save_userpref()
    bpy.ops.wm.save_as_mainfile(filepath=str(FOLDER / "talking.blend"))
    yield 1.0


run(__file__, steps())
