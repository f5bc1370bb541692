"""Real captured mouth motion (FACEGOOD-Audio2Face) as ARKit weights at the code rate.

The capture has no blinks, brows or gaze, which the articulation prior adds, and no weight that seals the lips: at
weights of zero ICT-FaceKit's lips stand 0.6 mm apart, so lips that the capture brings together are sealed here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.shared.lip_opening import OPENING_MM_PER_WEIGHT, lip_opening_mm
from engine.shared.units import CODE_RATE
from engine.shared.weights import WEIGHT_NAMES
from training.data.corpus import Clip
from training.prior.articulation import SEALED_OPENING_MM

CONTACT_MM = 1.2  # captured lips nearer than this are taken to touch

_CLOSE = WEIGHT_NAMES.index("mouthClose")


def capture_of(data: Path, clip: Clip) -> np.ndarray:
    """Weights (N, 57) float32 at 24 Hz of a clip of FACEGOOD-Audio2Face."""
    return load_capture(data / "speech" / "facegood" / f"{Path(clip.key).stem}.npz")


def load_capture(path: Path) -> np.ndarray:
    """Weights (N, 57) float32 at 24 Hz of one captured recording."""
    with np.load(path, allow_pickle=False) as archive:
        rate = float(archive["fps"])
        curves = {str(name): archive["arkit"][:, i] for i, name in enumerate(archive["arkit_names"])}
        extra = {str(name): archive["extra"][:, i] for i, name in enumerate(archive["extra_names"])}
    times = np.arange(len(curves["jawOpen"])) / rate
    frame_times = np.arange(int(times[-1] * CODE_RATE)) / CODE_RATE
    weights = np.zeros((len(frame_times), len(WEIGHT_NAMES)), np.float32)

    def add(name: str, values: np.ndarray, gain: float = 1.0) -> None:
        weights[:, WEIGHT_NAMES.index(name)] += gain * np.interp(frame_times, times, values.astype(np.float64))

    for name, values in curves.items():
        add(name, values)
    # The rig's two corrective shapes have no ARKit weight of their own.
    add("mouthFunnel", extra["mouth_oh_c"], 0.25)
    add("mouthPucker", extra["mouth_oh_c"], 0.10)
    add("mouthPucker", extra["mouth_oo_c"], 0.50)
    return sealed_lips(np.clip(weights, 0.0, 1.0))


def sealed_lips(weights: np.ndarray) -> np.ndarray:
    """Captured weights (N, 57) with lips that touch sealed by `mouthClose`, which a capture does not know: (N, 57)."""
    weights = np.array(weights, np.float32)
    opening = lip_opening_mm(weights)
    contact = np.clip((2 * CONTACT_MM - opening) / CONTACT_MM, 0.0, 1.0)
    surplus = contact * np.clip(opening - SEALED_OPENING_MM, 0.0, None)
    weights[:, _CLOSE] += surplus / -OPENING_MM_PER_WEIGHT["mouthClose"]
    return weights
