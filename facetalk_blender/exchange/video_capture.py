"""The face of a video becomes a take of a sound strip: the engine follows it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import bpy

from ...engine.shared.protocol import Message
from .. import compat
from ..engine_access.client import EngineClient
from ..sound import strip as sound_strip
from ..takes import take
from .take_import import TakeImport

MOVIES = frozenset({".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"})


@dataclass(frozen=True)
class Film:
    """A video and which part of it belongs to a sound strip.

    start, duration: the part, seconds. offset: second of the sound file at the video's first picture.
    """

    path: Path
    offset: float = 0.0
    start: float = 0.0
    duration: float | None = None


def film_of(strip: bpy.types.SoundStrip) -> Film | None:
    """The video that belongs to a sound strip: a movie strip of its file or over the same time, or its own file."""
    path = sound_strip.sound_path(strip)
    movies = [other for other in strip.id_data.sequence_editor.strips_all if other.type == "MOVIE"]
    movies.sort(key=lambda movie: (_path(movie) != path, not movie.select))
    start, end = compat.handles(strip)
    for movie in movies:
        first, last = compat.handles(movie)
        if first < end and start < last:
            begin = compat.content_start(movie) - compat.content_trim_start(movie)
            offset = (begin - sound_strip.frame_of_audio(strip, 0.0)) / sound_strip.frames_per_second(strip.id_data)
            return Film(_path(movie), 0.0 if _path(movie) == path else offset)
    return Film(path) if path.suffix.lower() in MOVIES else None


def part_of(strip: bpy.types.SoundStrip, path: Path, offset: float) -> Film:
    """The part of a video that is heard in a strip; offset as in `Film`."""
    start, end = sound_strip.heard_part(strip)
    begin = max(start - offset, 0.0)
    return Film(path, offset, begin, max(end - offset - begin, 0.0))


def _path(movie: bpy.types.Strip) -> Path:
    return Path(bpy.path.abspath(movie.filepath, library=movie.id_data.library))


class VideoCapture(TakeImport):
    """One capture."""

    def __init__(
        self,
        client: EngineClient,
        strip: bpy.types.SoundStrip,
        film: Film,
        face: int,
        engine_choice: tuple[str, str],
    ):
        """As `TakeImport`. face: 0 for the largest, n for the n-th from the left."""
        super().__init__(client, strip, film.path.name, engine_choice, film.offset + film.start)
        self._face = face
        fields = {"video": str(film.path), "start": film.start, "duration": film.duration, "face": face}
        self._engine.ask("capture", fields)

    def take_of(self, answer: Message) -> take.Take:
        """See `TakeImport`."""
        arrays, found = answer.arrays, answer.fields["provenance"]["captured"]
        rate = float(answer.fields["rate"])
        settings = {"sound": "", "audio_start": self._audio_start, "duration": len(arrays["codes"]) / rate}
        settings |= {"bundle": self._bundle, "imported": self._source, "program": "MediaPipe"}
        self._tell(int(found["pictures"]), int(found["lost"]), int(found["faces"]))
        return take.Take(
            codes=arrays["codes"],
            rate=rate,
            seed=0,
            weights=arrays["weights"],
            weight_names=[str(name) for name in answer.fields["weight_names"]],
            lip_opening_mm=arrays.get("lip_opening_mm"),
            settings=settings,
            pose=arrays["pose"],
        )

    def _tell(self, pictures: int, lost: int, faces: int) -> None:
        if lost:
            self.notes.append(f"The face was lost in {lost} of {pictures} pictures, which are bridged.")
        if faces > 1 and not self._face:
            self.notes.append(f"There were {faces} faces; the largest was followed.")
