"""A video of a talking face, with its sound, to a sequence of a dataset.

    python -m training.capture video take.mp4 --output SET

writes `audio/cleaned_audio.wav`, `nphm_tracking/nphm_expressions`, the mean head as identity, and
`face_tracking.npz`: weights (N, 57) and head pose (N, 6) at 24 Hz, and how the tracking went.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.engine import Engine
from engine.face_capture.capture import motion_of
from engine.face_capture.landmarker import FaceTrack, track_face
from engine.face_capture.video import pictures, sound
from engine.motion.codes import codes_from_weights
from engine.shared.units import CODE_RATE, SAMPLE_RATE
from training.capture.expression_fitting import IDENTITY, write_codes
from training.capture.layout import save_arrays
from training.capture.sound import write_sound
from training.paper_dataset import CLEANED, CODES

TRACKING = "face_tracking.npz"


def make_sequence(video: Path, folder: Path, engine: Engine, landmarker: Path) -> str:
    """Track a video into a dataset's sequence unless that is done; what to tell of it.

    Raises EngineError for a video without face or sound, and a head that cannot be driven by weights.
    """
    if (folder / TRACKING).is_file():
        return "is there"
    samples = sound(video)
    track = track_face(pictures(video), landmarker)
    return write_sequence(folder, track, samples, engine)


def write_sequence(folder: Path, track: FaceTrack, samples: np.ndarray, engine: Engine) -> str:
    """Write what was tracked, with its sound (S,) at 16 kHz, as a dataset's sequence; what to tell of it."""
    motion = motion_of(track, engine.head, engine.lips_of_voice(samples))
    frames = min(len(motion.weights), round(len(samples) / SAMPLE_RATE * CODE_RATE))
    weights, pose = motion.weights[:frames], motion.pose[:frames]
    write_sound(folder / "audio" / CLEANED, samples[: round(frames / CODE_RATE * SAMPLE_RATE)])
    write_codes(folder, codes_from_weights(weights, engine.head.arkit_map.basis))
    identity = np.zeros(engine.head.identity_dimensions, np.float32)
    with (folder / CODES.parent / IDENTITY).open("wb") as file:
        np.save(file, identity)
    save_arrays(
        folder / TRACKING,
        weights=weights,
        pose=pose,
        rate=np.array(CODE_RATE),
        residual_mm=np.array(motion.residual_mm),
        lost=np.array(motion.lost),
        pictures=np.array(motion.pictures),
    )
    bridged = f", {motion.lost} of {motion.pictures} pictures without a face bridged" if motion.lost else ""
    return f"{frames} frames, points {motion.residual_mm:.1f} mm off{bridged}"
