"""Recordings, strips and generations for tests inside Blender."""

import time
import wave
from pathlib import Path

import numpy as np
import pytest
from repository import import_from_extension

bpy = pytest.importorskip("bpy")
SAMPLE_RATE = 16000
START = 11  # first frame of a strip that does not begin with the scene
COUNT = 48  # frames of a strip of two seconds


def write_wav(path, seconds=2.0, frequency=440.0):
    """A tone as 16-bit WAV."""
    times = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    samples = (0.5 * np.sin(2 * np.pi * frequency * times) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(samples.tobytes())
    return path


def speaking_strip(scene, folder, seconds=2.0, frame=1):
    """A tone on a sound strip."""
    sound_strip = import_from_extension("facetalk_blender.sound.strip")
    return sound_strip.load_sound(scene, write_wav(Path(folder, "tone.wav"), seconds), frame)


def generate(client, strip, **settings):
    """A finished generation."""
    generation = import_from_extension("facetalk_blender.generation.generation")
    run = generation.Generation(client, strip, generation.Options(**settings))
    run.run()
    return run


def tick_until(run, condition, seconds=60.0):
    """Drive a generation as Blender's timer does until something is so, which must be while it runs."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        assert run.running
        run.tick()
        time.sleep(0.002)


def group_weights(mesh, names):
    """Weights (V, G) of a mesh in the groups of its object; a vertex that is no member has 0."""
    weights = np.zeros((len(mesh.vertices), len(names)), np.float32)
    for vertex in mesh.vertices:
        for member in vertex.groups:
            weights[vertex.index, member.group] = member.weight
    return weights
