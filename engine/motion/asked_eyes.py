"""Where the eyes of a sampled take look and how often they blink, as the controls ask.

The decoder samples eyes that are free. A target is a direction against the shoulders; eyes that hold it counter what
the head does and keep the small jumps that a living gaze has. Of a target far aside the head takes its share. All of it
follows from the take and the controls: the same take again, a part of it, or another seed is asked in the same way.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..shared.arkit import ARKIT_NAMES
from ..shared.controls import BLINK_RATE, GAZE_HOLD, GAZE_LEFT, GAZE_UP
from ..shared.lids import with_lids_in_place
from ..shared.pose import DEGREES_PER_LOOK, POSE_NAMES
from ..shared.style import smoothed
from . import blinks
from .codes import codes_from_weights, weights_from_codes
from .diffusion import Kept

FARTHEST = np.array([26.0, 20.0])  # degrees that an eye turns to a side, up or down
HEAD_SHARE, HEAD_BEGINS, HEAD_SECONDS = 0.45, 8.0, 0.6  # of what lies beyond HEAD_BEGINS degrees
LIVELY_SHARE, LIVELY_DEGREES, LIVELY_SECONDS = 0.5, 1.6, 1.2  # of the sampled jumps that stay around a target
LID_SHARE = 0.35  # of a lowered gaze that the upper lids follow
_YAW, _PITCH = POSE_NAMES.index("yaw"), POSE_NAMES.index("pitch")
_BLINK = [ARKIT_NAMES.index(f"eyeBlink{side}") for side in ("Left", "Right")]
# Columns of what turns the eyes to the left, to the right, up and down.
_TURNS = [
    [ARKIT_NAMES.index(name) for name in pair]
    for pair in (
        ("eyeLookOutLeft", "eyeLookInRight"),
        ("eyeLookInLeft", "eyeLookOutRight"),
        ("eyeLookUpLeft", "eyeLookUpRight"),
        ("eyeLookDownLeft", "eyeLookDownRight"),
    )
]


def head_turn(asked: Mapping[str, float | np.ndarray], frames: int, rate: float) -> np.ndarray:
    """What the head adds to its pose for a gaze target: (frames, 6) float32."""
    turn = np.zeros((frames, len(POSE_NAMES)), np.float32)
    hold, target = _targets(asked, frames)
    if not hold.any():
        return turn
    distance = np.linalg.norm(target, axis=1, keepdims=True)
    share = HEAD_SHARE * np.clip(distance - HEAD_BEGINS, 0, None) / np.maximum(distance, 1e-6)
    way = smoothed((hold[:, None] * share * target).astype(np.float32), rate, HEAD_SECONDS)
    turn[:, _YAW], turn[:, _PITCH] = way[:, 0], -way[:, 1]
    return turn


def with_asked_eyes(
    codes: np.ndarray,
    pose: np.ndarray,
    basis: np.ndarray,
    asked: Mapping[str, float | np.ndarray],
    rate: float,
    seed: int,
    kept: Kept | None = None,
) -> np.ndarray:
    """Codes (N, D) whose eyes look and blink as asked: (N, D) float32.

    pose: (N, 6) with `head_turn` in it, or (N, 0). basis: (D, W) that embeds ARKit weights.
    kept: codes that stay bit for bit; the change fades in as those did that were sampled again.
    """
    weights = weights_from_codes(codes, basis)
    looking = np.array(weights)
    share = np.ones((len(codes), 1), np.float32) if kept is None else kept.share_of_new().numpy()
    hold, target = _targets(asked, len(codes))
    if hold.any():
        _look(looking, pose, hold, target, rate)
    more = np.broadcast_to(np.asarray(asked.get(BLINK_RATE, 0.0), np.float64), len(codes))
    if more.any():
        shifts = np.linalg.norm(np.diff(_gaze(looking), axis=0, append=_gaze(looking)[-1:]), axis=1)
        shifts = np.where(shifts > 3.0, shifts, 0.0)
        looking[:, _BLINK] = blinks.as_often(looking[:, _BLINK], rate, more, shifts, share[:, 0] >= 1, seed)
    return codes + share * codes_from_weights(with_lids_in_place(looking) - weights, basis)


def _targets(asked: Mapping[str, float | np.ndarray], frames: int) -> tuple[np.ndarray, np.ndarray]:
    """How much the gaze is held (N,), and its target (N, 2) in degrees to the left and up."""
    hold, *target = (
        np.broadcast_to(np.asarray(asked.get(name, 0.0), np.float64), frames)
        for name in (GAZE_HOLD, GAZE_LEFT, GAZE_UP)
    )
    return hold, np.stack(target, axis=1)


def _gaze(weights: np.ndarray) -> np.ndarray:
    """Where the eyes look against the head: (N, 2) degrees to the left and up, the mean of both."""
    left, right, up, down = (weights[:, pair].mean(axis=1) for pair in _TURNS)
    return DEGREES_PER_LOOK * np.stack([left - right, up - down], axis=1)


def _look(weights: np.ndarray, pose: np.ndarray, hold: np.ndarray, target: np.ndarray, rate: float) -> None:
    """Turn the eyes of weights (N, W) to a target, in place."""
    free = _gaze(weights)
    turned = np.stack([pose[:, _YAW], -pose[:, _PITCH]], axis=1) if pose.size else np.zeros_like(free)
    seen = (free + turned).astype(np.float32)
    jumps = LIVELY_SHARE * (seen - smoothed(seen, rate, LIVELY_SECONDS))
    goal = target - turned + np.clip(jumps, -LIVELY_DEGREES, LIVELY_DEGREES)
    eyes = free + hold[:, None] * (np.clip(goal, -FARTHEST, FARTHEST) - free)
    for index, way in enumerate((eyes[:, 0], -eyes[:, 0], eyes[:, 1], -eyes[:, 1])):
        weights[:, _TURNS[index]] = (np.clip(way, 0, None) / DEGREES_PER_LOOK)[:, None]
    lowered = (np.clip(-eyes[:, 1], 0, None) - np.clip(-free[:, 1], 0, None)) / DEGREES_PER_LOOK
    lids = weights[:, _BLINK]
    weights[:, _BLINK] = np.clip(lids + LID_SHARE * lowered[:, None] * (1 - lids), 0, np.maximum(lids, 1))
