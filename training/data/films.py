"""GRID's filmed speaker s1: face points and scores that MediaPipe tracked in his sentences.

`DATA/grid` holds `motion.npz` (`keys`, `first`, `point_index`, `fps`, `scores`, `score_names`) and
`points_delta.npy.xz`, differences from frame to frame in fiftieths of a pixel. They were tracked in video mode with one
face, in which MediaPipe smooths the points in time: `unsmoothed` takes that back as far as noise allows.
"""

from __future__ import annotations

import io
import lzma
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.shared.arkit import ARKIT_NAMES

STEPS_PER_PIXEL, LOST = 50, -600.0
KEPT_OUT = 38  # sentences, evenly spread, whose lips no training sees
# What a point keeps of its place in the frame before; measured by `evaluation.motion.tracker`.
KEPT_SHARE = 0.35


@dataclass(frozen=True)
class Films:
    """keys of K sentences. first: (K + 1,), frames of a sentence are first[k] : first[k + 1].

    numbers: which m of MediaPipe's 478 face points. points: (F, m, 3) float32 pixels, NaN in frames where a point was
    lost. scores: (F, 52) of ARKIT_NAMES, empty where the folder has none. rate: frames per second.
    """

    keys: list[str]
    first: np.ndarray
    numbers: list[int]
    points: np.ndarray
    scores: np.ndarray
    rate: float

    def frames(self, index: int) -> slice:
        """Those of a sentence."""
        return slice(int(self.first[index]), int(self.first[index + 1]))

    def kept_out(self) -> list[int]:
        """Numbers of the sentences that are for judging alone."""
        return sorted(set(np.linspace(0, len(self.keys) - 1, KEPT_OUT).round().astype(int).tolist()))


def load_films(data: Path, numbers: list[int] | None = None) -> Films | None:
    """What was tracked; None without it. numbers: of the points to load, all when not given."""
    folder = data / "grid"
    if not (folder / "motion.npz").is_file():
        return None
    changes = np.load(io.BytesIO(lzma.decompress((folder / "points_delta.npy.xz").read_bytes())), allow_pickle=False)
    with np.load(folder / "motion.npz", allow_pickle=False) as archive:
        tracked = archive["point_index"].tolist()
        wanted = tracked if numbers is None else numbers
        columns = [tracked.index(number) for number in wanted]
        steps = np.cumsum(changes[:, columns].astype(np.int32), 0).astype(np.int16)  # the sums wrap
        points = steps.astype(np.float32) / STEPS_PER_PIXEL
        points[(points < LOST).any((1, 2))] = np.nan
        scores = np.zeros((0, len(ARKIT_NAMES)))
        if "scores" in archive:
            names = archive["score_names"].tolist()
            found = np.concatenate([archive["scores"].astype(float), np.zeros((len(points), 1))], 1)
            scores = found[:, [names.index(name) if name in names else -1 for name in ARKIT_NAMES]]
        keys = [str(key) for key in archive["keys"]]
        return Films(keys, archive["first"], wanted, points, scores, float(archive["fps"]))


def smoothed(values: np.ndarray) -> np.ndarray:
    """What the tracker makes of true values (F, ...) at its frames: each keeps a share of the one before."""
    result = np.array(values, np.float64)
    for frame in range(1, len(result)):
        result[frame] = KEPT_SHARE * result[frame - 1] + (1 - KEPT_SHARE) * result[frame]
    return result


def unsmoothed(values: np.ndarray) -> np.ndarray:
    """The inverse of `smoothed`, which raises noise too: by two in a frame's change from the last."""
    result = np.array(values, np.float64)
    result[1:] = (result[1:] - KEPT_SHARE * result[:-1]) / (1 - KEPT_SHARE)
    return result
