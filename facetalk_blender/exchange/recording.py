"""A facial performance that another program recorded, as ARKit weights over time. No bpy in here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...engine.shared.arkit import ARKIT_NAMES
from ..retargeting.names import COMBINED, VISEMES
from ..retargeting.recognition import EXACT, SPELLING, Habits, meaning_of

MOST_ROWS = 200_000  # nearly an hour at 60 rows per second
LARGEST_RATE = 1000.0
UNEVEN = 0.1  # of a row: what times may stray and still count as evenly spaced

# The 46 poses of Audio2Face's own face that are not called as ARKit's, and the weights that each moves.
AUDIO2FACE_POSES: dict[str, tuple[tuple[str, float], ...]] = {
    "innerBrowRaiserL": (("browInnerUp", 0.5),),
    "innerBrowRaiserR": (("browInnerUp", 0.5),),
    "eyesLookLeft": (("eyeLookOutLeft", 1.0), ("eyeLookInRight", 1.0)),
    "eyesLookRight": (("eyeLookInLeft", 1.0), ("eyeLookOutRight", 1.0)),
    "eyesLookUp": (("eyeLookUpLeft", 1.0), ("eyeLookUpRight", 1.0)),
    "eyesLookDown": (("eyeLookDownLeft", 1.0), ("eyeLookDownRight", 1.0)),
    "cheekPuffL": (("cheekPuff", 0.5),),
    "cheekPuffR": (("cheekPuff", 0.5),),
    "jawDrop": (("jawOpen", 1.0),),
    "jawDropLipTowards": (("jawOpen", 1.0), ("mouthClose", 1.0)),
    "jawThrust": (("jawForward", 1.0),),
    "jawSlideLeft": (("jawLeft", 1.0),),
    "jawSlideRight": (("jawRight", 1.0),),
    "mouthSlideLeft": (("mouthLeft", 1.0),),
    "mouthSlideRight": (("mouthRight", 1.0),),
    "chinRaiser": (("mouthShrugLower", 1.0),),
    "lipPressor": (("mouthPressLeft", 1.0), ("mouthPressRight", 1.0)),
    "pucker": (("mouthPucker", 1.0),),
    "funneler": (("mouthFunnel", 1.0),),
    "lipSuck": (("mouthRollLower", 1.0), ("mouthRollUpper", 1.0)),
} | {
    f"{pose}{side[0]}": ((f"{name}{side}", 1.0),)
    for side in ("Left", "Right")
    for pose, name in {
        "browLower": "browDown", "outerBrowRaiser": "browOuterUp", "eyesClose": "eyeBlink",
        "eyesUpperLidRaiser": "eyeWide", "squint": "eyeSquint", "cheekRaiser": "cheekSquint",
        "noseWrinkler": "noseSneer", "dimpler": "mouthDimple", "lipCornerPuller": "mouthSmile",
        "lipCornerDepressor": "mouthFrown", "lipStretcher": "mouthStretch", "upperLipRaiser": "mouthUpperUp",
        "lowerLipDepressor": "mouthLowerDown",
    }.items()
}  # fmt: skip


@dataclass(frozen=True)
class Recording:
    """What was recorded.

    weights: (N, 52) float32 0..1 in the order of ARKIT_NAMES; rate: of them per second.
    rotations: (N, 9) float32 radians in the order of `live_link.ROTATIONS`, or None.
    program: which recorded it.
    """

    weights: np.ndarray
    rate: float
    rotations: np.ndarray | None
    program: str

    @property
    def duration(self) -> float:
        """Seconds that it covers."""
        return len(self.weights) / self.rate


def arkit_weights(names: Sequence[str], table: np.ndarray) -> np.ndarray:
    """Weights (N, 52) float32 0..1 from columns (N, C) of any spelling; 0 where there is no column.

    Raises ValueError when no column is a weight.
    """
    found = np.zeros((len(table), len(ARKIT_NAMES)))
    known = 0
    for name, column in zip(names, table.T, strict=True):
        parts = AUDIO2FACE_POSES.get(name) or _parts(name)
        known += bool(parts)
        for part, share in parts:
            found[:, ARKIT_NAMES.index(part)] += share * column
    if not known:
        raise ValueError("none of its columns is an ARKit weight")
    return np.clip(found, 0.0, 1.0).astype(np.float32)


def _parts(name: str) -> tuple[tuple[str, float], ...]:
    meaning = meaning_of(name, Habits())
    # A half of a weight that has no sides is not the whole.
    if meaning is None or meaning.method not in (EXACT, SPELLING) or meaning.is_half:
        return ()
    channel = meaning.channel
    if channel in VISEMES:
        return ()
    return tuple((part, 1.0) for part, _ in COMBINED[channel]) if channel in COMBINED else ((channel, 1.0),)


def evenly_spaced(times: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Rows (M, C) at whole steps from rows (N, C) at times (N,) in steps; as they are when they lie so already.

    Raises ValueError when times run backwards or too far.
    """
    steps = np.diff(times)
    if (steps < 0).any():
        raise ValueError("its times run backwards")
    if (np.abs(steps - 1.0) < UNEVEN).all():
        return table
    length = times[-1] - times[0]
    if not length < MOST_ROWS:
        raise ValueError("its times lie too far apart")
    grid = np.arange(int(length + UNEVEN) + 1)
    return np.stack([np.interp(grid, times - times[0], column) for column in table.T], axis=1)
