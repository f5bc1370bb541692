"""Meshes of an artist with shape keys, and expression curves that move them."""

import numpy as np
from blender_scene import START, bpy
from repository import import_from_extension

from engine.motion.codes import interpolated
from engine.shared.arkit import ARKIT_NAMES

curve_action = import_from_extension("facetalk_blender.outputs.curve_action")
curves = import_from_extension("facetalk_blender.outputs.curves.expression_curves")
sound_strip = import_from_extension("facetalk_blender.sound.strip")
take_module = import_from_extension("facetalk_blender.takes.take")


def speech(seconds=2.0, seed=0):
    """A take of smooth random weights at 24 Hz."""
    count = round(24 * seconds)
    phases = np.random.default_rng(seed).uniform(0, 2 * np.pi, (3, 52))
    times = np.arange(count)[:, None] / 24
    waves = sum(np.sin(2 * np.pi * (1 + 2 * k) * times + phases[k]) / (1 + k) for k in range(3))
    weights = np.clip(0.4 + 0.3 * waves, 0, 1).astype(np.float32)
    codes = np.zeros((count, 4), np.float32)
    return take_module.Take(codes, 24.0, seed, weights, list(ARKIT_NAMES), None)


def face(names, name="Face"):
    """A mesh in the scene whose shape keys each move one vertex."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([(i, 0, 0) for i in range(len(names) + 2)], [], [(0, 1, 2)])
    item = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(item)
    item.shape_key_add(name="Basis")
    for index, key in enumerate(names):
        block = item.shape_key_add(name=key)
        block.points[index].co.z, block.value = 1.0, 0.0
    return item


def a_text(strip):
    """The text of some take of a strip."""
    return take_module.store("{}", 0, bpy.context.scene, strip.name, "", (0.0, 1.0))


def bake(strip, take=None, text=None, **settings):
    """Curves on targets, as a generation makes them; the writer. text: an earlier one's, to replace its curves."""
    clip = sound_strip.clip_of(strip)
    settings = curves.CurveSettings(**settings)
    take, text = take or speech(clip.duration), text or a_text(strip)
    writer = curves.CurvesOnTargets(bpy.context.scene, clip, text, take, settings, curves.plans(settings))
    while not writer.prepare(0.001):
        pass
    for _ in writer.finish():
        pass
    return writer


def values(item, key, frames):
    """What Blender shows at scene frames."""
    shown = []
    for frame in frames:
        bpy.context.scene.frame_set(frame)
        shown.append(item.data.shape_keys.key_blocks[key].value)
    return np.array(shown)


def expected(take, name, frames, fps=24.0):
    times = (np.array(frames) - START) / fps
    return np.clip(interpolated(take.weights, take.rate, times)[:, ARKIT_NAMES.index(name)], 0, 1)


def artists_action(item, key, value=0.25):
    keys = item.data.shape_keys
    keys.key_blocks[key].value = value
    keys.key_blocks[key].keyframe_insert("value", frame=1)
    return keys.animation_data.action


def snapshot(action):
    curve_list = curve_action.curves_of(action, action.slots[0])
    return [(curve.data_path, [tuple(point.co) for point in curve.keyframe_points]) for curve in curve_list]
