"""A video of a talking face, with its sound, to a sequence of a dataset.

    python -m training.capture video take.mp4 --output SET --landmarker face_landmarker.task

writes `audio/cleaned_audio.wav`, `nphm_tracking/nphm_expressions`, the mean head as identity, and
`face_tracking.npz`: weights (N, 57) and head pose (N, 6) at 24 Hz, and how the tracking went.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.engine import Engine
from engine.face_capture.fitting import at_code_times, fit_weights
from engine.face_capture.head_pose import head_pose
from engine.face_capture.landmarker import POINTS, FaceTrack, track_face
from engine.face_capture.points_of_head import point_model
from engine.face_capture.video import pictures, sound
from engine.motion.codes import codes_from_weights
from engine.shared.errors import EngineError
from engine.shared.units import CODE_RATE, MILLIMETRES_PER_UNIT, SAMPLE_RATE
from training.capture.expression_fitting import IDENTITY, write_codes
from training.capture.layout import save_arrays
from training.capture.sound import write_sound
from training.paper_dataset import CLEANED, CODES

TRACKING = "face_tracking.npz"
SHORTEST = 0.5  # seconds


def make_sequence(video: Path, folder: Path, engine: Engine, landmarker: Path) -> str:
    """Track a video into a dataset's sequence unless that is done; what to tell of it.

    Raises EngineError for a video without face or sound, and a head that cannot be driven by weights.
    """
    if (folder / TRACKING).is_file():
        return "is there"
    samples = sound(video)
    track = track_face(pictures(video), landmarker)
    if track.times[-1] < SHORTEST:
        raise EngineError(f"{video} lasts {track.times[-1]:.1f} s; film at least {SHORTEST:g} s.")
    return write_sequence(folder, track, samples, engine)


def write_sequence(folder: Path, track: FaceTrack, samples: np.ndarray, engine: Engine) -> str:
    """Write what was tracked, with its sound (S,) at 16 kHz, as a dataset's sequence; what to tell of it."""
    rate = (len(track.times) - 1) / track.times[-1]
    fitted = fit_weights(track.points, track.scores, range(POINTS), point_model(engine.head), rate)
    weights = at_code_times(fitted.weights, track.times, CODE_RATE)
    pose = at_code_times(head_pose(track.poses), track.times, CODE_RATE)
    frames = min(len(weights), round(len(samples) / SAMPLE_RATE * CODE_RATE))
    weights, pose = weights[:frames], pose[:frames]
    write_sound(folder / "audio" / CLEANED, samples[: round(frames / CODE_RATE * SAMPLE_RATE)])
    write_codes(folder, codes_from_weights(weights, engine.head.arkit_map.basis))
    identity = np.zeros(engine.head.identity_dimensions, np.float32)
    with (folder / CODES.parent / IDENTITY).open("wb") as file:
        np.save(file, identity)
    residual = MILLIMETRES_PER_UNIT * float(np.nanmedian(fitted.residual))
    lost = int((~fitted.seen).sum())
    save_arrays(
        folder / TRACKING,
        weights=weights.astype(np.float32),
        pose=pose.astype(np.float32),
        rate=np.array(CODE_RATE),
        residual_mm=np.array(residual),
        lost=np.array(lost),
        pictures=np.array(len(track.times)),
    )
    bridged = f", {lost} of {len(track.times)} pictures without a face bridged" if lost else ""
    return f"{frames} frames, points {residual:.1f} mm off{bridged}"
