"""A recording whose samples rise linearly: the value that is heard tells the moment of the file."""

import wave

import numpy as np
from blender_scene import SAMPLE_RATE, bpy
from repository import import_from_extension

sound_strip = import_from_extension("facetalk_blender.sound.strip")
SECONDS = 4.0


def write_ramp(path):
    values = np.linspace(0.0, 0.9, int(SECONDS * SAMPLE_RATE))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((values * 32767).astype("<i2").tobytes())
    return path


def heard(scene, folder):
    """Seconds of the ramp heard at every frame of the scene, by Blender's mixdown; about 0 is silence."""
    import aud

    path = str(folder / "mixdown.wav")
    bpy.ops.sound.mixdown(filepath=path, container="WAV", codec="PCM", format="S16", mixrate=SAMPLE_RATE)
    sound = aud.Sound(path)
    samples, rate = sound.data()[:, 0], sound.specs[0]
    gain = 2**-0.5  # a centred mono sound is spread over two speakers
    frames = np.arange(scene.frame_start, scene.frame_end + 1)
    positions = (frames - scene.frame_start + 0.5) / sound_strip.frames_per_second(scene) * rate
    return frames, samples[np.minimum(positions.astype(int), len(samples) - 1)] / gain / 0.9 * SECONDS
