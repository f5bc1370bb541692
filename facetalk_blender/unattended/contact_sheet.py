"""A picture of a finished video: moments of it side by side, with the waveform and the lip opening below."""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import bpy
import numpy as np

from .. import compat
from ..sound.strip import Clip
from ..takes.take import Take

COLUMNS = 6
ROWS = 2
TILE_WIDTH = 256
GRAPH_HEIGHT = 110
MARGIN = 6
BACKGROUND = (0.055, 0.057, 0.062)
WAVEFORM_COLOR = (0.36, 0.52, 0.68)
OPENING_COLOR = (0.95, 0.62, 0.30)
MARKER_COLOR = (0.30, 0.31, 0.33)


def write_contact_sheet(path: Path, video: Path, clip: Clip, take: Take, frames: range) -> None:
    """Write the sheet as PNG.

    video: the rendered frames, one picture per scene frame of `frames`.
    """
    chosen = np.unique(np.linspace(0, len(frames) - 1, COLUMNS * ROWS).round().astype(int))
    times = [clip.time_of(frames[i]) for i in chosen]
    tiles = _video_tiles(video, chosen, times)  # (n, height, TILE_WIDTH, 3)
    picture = _grid(tiles)
    span = clip.time_of(frames[0]), clip.time_of(frames[-1] + 1)
    shape = (GRAPH_HEIGHT, picture.shape[1], 3)
    waveform = _graph(shape, _loudness(clip, span, picture.shape[1]), times, span, WAVEFORM_COLOR)
    parts = [picture, waveform]
    if take.lip_opening_mm is not None:
        moments = np.linspace(*span, picture.shape[1])
        opening = np.interp(moments, np.arange(len(take.codes)) / take.rate, take.lip_opening_mm)
        parts.append(_graph(shape, opening / max(opening.max(), 1e-6), times, span, OPENING_COLOR))
    _save(path, np.concatenate(parts))


def _video_tiles(video: Path, chosen: np.ndarray, times: list[float]) -> np.ndarray:
    """Pictures of a video with the time written on them, by Blender's own sequencer in a scene of its own."""
    scene = bpy.data.scenes.new("FaceTalk Contact Sheet")
    try:
        strips = compat.strip_collection(scene.sequence_editor_create())
        movie = strips.new_movie("Video", str(video), 1, 1)
        width, height = movie.elements[0].orig_width, movie.elements[0].orig_height
        movie.transform.scale_x = movie.transform.scale_y = TILE_WIDTH / width
        render = scene.render
        render.resolution_x, render.resolution_y = TILE_WIDTH, round(height * TILE_WIDTH / width)
        render.use_sequencer = True
        # The video's colours are final.
        scene.view_settings.view_transform = "Standard"
        compat.set_image_output(render.image_settings)
        for index, time in zip(chosen, times, strict=True):
            _add_label(strips, f"{time:.2f} s", int(index) + 1)
        return np.stack([_render_frame(scene, int(index) + 1) for index in chosen])
    finally:
        bpy.data.scenes.remove(scene)


def _add_label(strips: bpy.types.bpy_prop_collection, text: str, frame: int) -> None:
    label = compat.new_text_strip(strips, text, 2, frame)
    label.text = text
    label.font_size = 17
    label.location = (0.03, 0.03)
    label.anchor_x, label.anchor_y = "LEFT", "BOTTOM"


def _render_frame(scene: bpy.types.Scene, frame: int) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        scene.frame_set(frame)
        scene.render.filepath = str(Path(folder, "tile.png"))
        with bpy.context.temp_override(scene=scene):
            bpy.ops.render.render(write_still=True)
        return _load(Path(folder, "tile.png"))


def _load(path: Path) -> np.ndarray:
    """A picture (height, width, 3), top row first."""
    image = bpy.data.images.load(str(path))
    try:
        width, height = image.size
        pixels = np.empty(width * height * 4, np.float32)
        image.pixels.foreach_get(pixels)
        return pixels.reshape(height, width, 4)[::-1, :, :3]
    finally:
        bpy.data.images.remove(image)


def _save(path: Path, picture: np.ndarray) -> None:
    height, width, _ = picture.shape
    image = bpy.data.images.new("FaceTalk Contact Sheet", width, height)
    try:
        pixels = np.ones((height, width, 4), np.float32)
        pixels[..., :3] = picture[::-1]
        image.pixels.foreach_set(pixels.ravel())
        image.file_format = "PNG"
        image.save(filepath=str(path))
    finally:
        bpy.data.images.remove(image)


def _grid(tiles: np.ndarray) -> np.ndarray:
    count, height, width, _ = tiles.shape
    rows = -(-count // COLUMNS)
    sheet = np.empty((rows * (height + MARGIN) + MARGIN, COLUMNS * (width + MARGIN) + MARGIN, 3), np.float32)
    sheet[:] = BACKGROUND
    for number, tile in enumerate(tiles):
        top = MARGIN + (number // COLUMNS) * (height + MARGIN)
        left = MARGIN + (number % COLUMNS) * (width + MARGIN)
        sheet[top : top + height, left : left + width] = tile
    return sheet


def _loudness(clip: Clip, span: tuple[float, float], count: int) -> np.ndarray:
    """Largest amplitude of the sound in `count` equal parts of the span, 1 for the loudest; 0 where there is none."""
    import aud

    samples = np.abs(aud.Sound(str(clip.path)).data()).max(1)
    rate = aud.Sound(str(clip.path)).specs[0]
    edges = (np.linspace(*span, count + 1) + clip.audio_start) * rate
    edges = np.clip(edges.astype(int), 0, len(samples))
    peaks = np.array([samples[a:b].max(initial=0.0) for a, b in itertools.pairwise(edges)])
    return peaks / max(peaks.max(), 1e-6)


def _graph(
    shape: tuple[int, int, int], values: np.ndarray, times: list[float], span: tuple[float, float], color: tuple
) -> np.ndarray:
    """A filled curve of values 0..1, one per column, with a line at each of the moments shown above."""
    height, width, _ = shape
    graph = np.empty(shape, np.float32)
    graph[:] = BACKGROUND
    for time in times:
        graph[:, min(int((time - span[0]) / (span[1] - span[0]) * width), width - 1)] = MARKER_COLOR
    rows = np.arange(height)[:, None]
    graph[rows >= height - np.round(values * (height - MARGIN))[None]] = color
    return graph
