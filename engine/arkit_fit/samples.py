"""The codes that a map is fitted to: given ones, those of the bundle's training scans, or random ones."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ..head.head import NeuralHead
from ..motion.codes import ExpressionTake
from ..shared.errors import EngineError
from ..shared.hostile_files import LARGEST_ARRAYS, UNREADABLE, read_npy
from ..shared.units import MILLIMETRES_PER_UNIT
from .tracking import PointTracker

MOST_CODES, LEAST_CODES = 480, 40
SEED = 52
# Root mean square of how far speech moves the lips from rest: 2.9 to 4.1 mm on six takes of the starter.
SPEECH_MOTION_MM = 3.5
LARGEST_DEVIATION = 10.0  # of random codes; those of the NPHM family have lengths up to one
_SCALING_CODES, _SCALING_STEPS = 24, 6


def known_codes(head: NeuralHead, files: Iterable[str | Path]) -> tuple[np.ndarray, str] | None:
    """Codes (N, E) of speech or of people, those that belong together side by side, and in words where they come from.

    files: takes (.npz), or codes (.npy, (N, E)); none takes the bundle's own code book. None when there is neither.

    Raises EngineError when files do not fit or hold too few codes.
    """
    given = [_read(Path(file), head.expression_dimensions) for file in files]
    if given:
        codes, words = np.concatenate(given), "given codes"
        if len(codes) < LEAST_CODES:
            raise EngineError(f"{len(codes)} codes are too few to fit; give {LEAST_CODES} or more, e.g. longer takes.")
    elif len(book := head.expression_codes.codes) >= LEAST_CODES:
        codes, words = np.random.default_rng(SEED).permutation(book), "codes of its training scans"
    else:
        return None
    every = np.linspace(0, len(codes) - 1, min(len(codes), MOST_CODES)).round().astype(int)
    return codes[every].astype(np.float32), words


def random_codes(tracker: PointTracker, lips: np.ndarray) -> tuple[np.ndarray, str]:
    """Normal codes (N, E), as strong as speech on those of the tracker's points (P,) that are `lips`, and a name.

    Raises EngineError when codes do not move the lips.
    """
    directions = np.random.default_rng(SEED).standard_normal((MOST_CODES, tracker.head.expression_dimensions))
    deviation = 0.01
    for _ in range(_SCALING_STEPS):
        points, _ = tracker.posed(deviation * directions[:_SCALING_CODES])
        squared = np.square(points[:, lips] - tracker.rest.cpu().numpy()[lips], dtype=np.float64).sum(-1)
        moved = MILLIMETRES_PER_UNIT * np.sqrt(squared.mean())
        deviation *= SPEECH_MOTION_MM / max(moved, 1e-6)
        if deviation > LARGEST_DEVIATION:
            raise EngineError("This head's expression codes do not move its lips; there is nothing to fit.")
    return (deviation * directions).astype(np.float32), "random codes of the size of speech"


def _read(file: Path, dimensions: int) -> np.ndarray:
    if file.suffix == ".npz":
        codes = ExpressionTake.load(file).codes
    else:
        try:
            codes = read_npy(file, LARGEST_ARRAYS)
        except UNREADABLE as error:
            raise EngineError(f"{file} cannot be read; give takes (.npz) or codes (.npy).") from error
    if codes.ndim != 2 or codes.shape[1] != dimensions or codes.dtype.kind not in "fiu" or not np.isfinite(codes).all():
        raise EngineError(f"{file} does not hold finite codes (N, {dimensions}); give codes of this head.")
    return codes
