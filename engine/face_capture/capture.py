"""A video of a face becomes weights and a head pose at the code rate.

The landmarker is MediaPipe's (Apache-2.0, `LICENSE-MediaPipe.txt` beside it), which ships with the engine; the packages
mediapipe and av are an optional part of its runtime.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ..head import NeuralHead
from ..shared.errors import EngineError
from ..shared.options import MAXIMUM_SECONDS
from ..shared.units import CODE_RATE, MILLIMETRES_PER_UNIT, SAMPLE_RATE
from .fitting import at_code_times, fit_weights, touching_lips
from .head_pose import head_pose
from .landmarker import MODEL, POINTS, FaceTrack, track_face
from .points_of_head import point_model
from .video import pictures, seconds_of, sound

PACKAGES = ("mediapipe", "av")
SHORTEST = 0.5  # seconds
TRACKING_SHARE = 0.9  # of the time that a capture needs


@dataclass(frozen=True)
class CapturedMotion:
    """weights (N, 57) and pose (N, 6), float32 at the code rate.

    pictures, lost: how many there were, and in how many of them there was no face. residual_mm: how far the head's
    points are from the tracked ones, the median. faces: the most that were seen at once.
    """

    weights: np.ndarray
    pose: np.ndarray
    pictures: int
    lost: int
    residual_mm: float
    faces: int

    def facts(self) -> dict[str, float]:
        """What there is to tell of it, as JSON values."""
        whole = {"pictures": self.pictures, "lost": self.lost, "faces": self.faces}
        return whole | {"residual_mm": round(self.residual_mm, 2)}


def missing_packages() -> list[str]:
    """Those that this Python lacks for a capture."""
    return [name for name in PACKAGES if find_spec(name) is None]


def capture(
    video: str | Path,
    head: NeuralHead,
    *,
    model: str | Path = MODEL,
    start: float = 0.0,
    duration: float | None = None,
    face: int = 0,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
    lips_of_voice: Callable[[np.ndarray], np.ndarray | None] | None = None,
) -> CapturedMotion:
    """What the face of a video does, as a head would do it.

    start, duration: the part of it, seconds. face: 0 for the largest, n for the n-th from the left where it is first
    seen. progress: called with the fraction done. cancelled: asked at every picture; true ends it with `Cancelled`.
    lips_of_voice: tells of samples (S,) at 16 kHz how far the lips are open, (N,) mm at the code rate.

    Raises EngineError when a package is missing, the video cannot be used or shows no face, or the head has no
    template.
    """
    if missing := missing_packages():
        raise EngineError(
            f"Capturing from video needs {' and '.join(missing)} in the engine's Python; run its "
            f"'python -m pip install {' '.join(missing)}'."
        )
    length = min(seconds_of(video) - start, MAXIMUM_SECONDS if duration is None else duration)
    if length < SHORTEST:
        raise EngineError(f"{Path(video).name} has less than {SHORTEST:g} s of pictures there; choose a longer part.")
    report = progress or _ignore
    track = track_face(
        pictures(video, start, length),
        model,
        face=face,
        progress=lambda time: report(TRACKING_SHARE * min(time / length, 1.0)),
        cancelled=cancelled,
    )
    motion = motion_of(track, head, _lips(video, start, length, lips_of_voice))
    report(1.0)
    return motion


def motion_of(track: FaceTrack, head: NeuralHead, lips_mm: np.ndarray | None = None) -> CapturedMotion:
    """Motion of a tracked face.

    lips_mm: (N,) at the code rate, how far the lips are open by the voice, whose closures a slow camera misses.

    Raises EngineError when the face was lost in most pictures, or there are too few."""
    if len(track.times) < 2 or track.times[-1] < SHORTEST:
        raise EngineError(f"The video lasts {track.times[-1]:.1f} s; film at least {SHORTEST:g} s.")
    rate = (len(track.times) - 1) / track.times[-1]
    touching = None if lips_mm is None else touching_lips(lips_mm, track.times)
    fitted = fit_weights(track.points, track.scores, range(POINTS), point_model(head), rate, touching)
    return CapturedMotion(
        weights=at_code_times(fitted.weights, track.times, CODE_RATE).astype(np.float32),
        pose=at_code_times(head_pose(track.poses), track.times, CODE_RATE).astype(np.float32),
        pictures=len(track.times),
        lost=int((~fitted.seen).sum()),
        residual_mm=MILLIMETRES_PER_UNIT * float(np.nanmedian(fitted.residual)),
        faces=track.faces,
    )


def _lips(
    video: str | Path, start: float, length: float, of_voice: Callable[[np.ndarray], np.ndarray | None] | None
) -> np.ndarray | None:
    """What a part of the video's sound tells of the lips; None without sound."""
    if of_voice is None:
        return None
    try:
        samples = sound(video)[round(start * SAMPLE_RATE) :][: round(length * SAMPLE_RATE)]
    except EngineError:
        return None
    return of_voice(samples) if len(samples) >= SHORTEST * SAMPLE_RATE else None


def _ignore(_value: float) -> None:
    pass
