"""Videos in which rendered faces move, with a tone."""

from pathlib import Path

import numpy as np
import pytest

FACE = Path(__file__).resolve().parents[1] / "fixtures" / "rendered_face.jpg"
WIDTH, HEIGHT, RATE = 640, 360, 24


def write_film(path, frames=24, faces=((0.3, 300, 4.0),), hidden=()):
    """A video with its sound. faces: place of each from the left in shares, its size in pixels, pixels that it goes to
    the right in a picture. hidden: pictures that show nobody."""
    av, images = pytest.importorskip("av"), pytest.importorskip("PIL.Image")
    tone = (0.3 * np.sin(2 * np.pi * 440 * np.arange(int(16000 * frames / RATE)) / 16000)).astype(np.float32)
    portrait = images.open(FACE)
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=RATE)
        video.width, video.height, video.pix_fmt, video.bit_rate = WIDTH, HEIGHT, "yuv420p", 4_000_000
        audio = container.add_stream("aac", rate=16000, layout="mono")
        for number in range(frames):
            picture = images.new("RGB", (WIDTH, HEIGHT), (160, 165, 170))
            for place, size, speed in faces if number not in hidden else ():
                left = round(place * WIDTH - size / 2 + speed * number)
                picture.paste(portrait.resize((size, size)), (left, (HEIGHT - size) // 2))
            container.mux(video.encode(av.VideoFrame.from_image(picture)))
        container.mux(video.encode())
        frame = av.AudioFrame.from_ndarray(tone[None], format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(audio.encode(frame))
        container.mux(audio.encode())
    return path
