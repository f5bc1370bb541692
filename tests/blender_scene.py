"""What the tests of the Blender side share: an empty scene, a recording, the scripted engine."""

import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from extension_package import import_from_extension

bpy = pytest.importorskip("bpy")
TESTS = Path(__file__).resolve().parent
SAMPLE_RATE = 16000


@pytest.fixture
def scene():
    """Factory settings, nothing in the file, 24 frames per second."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    yield bpy.context.scene
    bpy.ops.wm.read_factory_settings(use_empty=True)


@pytest.fixture
def client():
    """The scripted engine."""
    client = import_from_extension("facetalk_blender.engine_access.client").EngineClient(
        sys.executable, TESTS / "scripted_engine"
    )
    yield client
    client.stop()


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
    run = generation.Generation(client, strip, generation.Settings(**settings))
    run.run()
    return run
