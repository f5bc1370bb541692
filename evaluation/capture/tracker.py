"""How MediaPipe's video mode smooths lips in time, measured on rendered heads whose lips are known.

    python -m evaluation.capture.tracker --data DATA

GRID's lips were tracked so, with one face at 25 Hz. Prints what a frame keeps of the one before (`KEPT_SHARE` of
`training.data.films`), the tracked lips' power over the true lips' by band, and their correlation.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.signal import lfilter

from engine.engine import Engine
from engine.face_capture import landmarker
from engine.face_capture.video import Picture
from engine.shared.errors import EngineError
from engine.shared.units import CODE_RATE, SAMPLE_RATE
from evaluation.capture.one_camera import camera
from evaluation.motion import grid_lips, liveliness
from evaluation.motion.metrics import correlation
from training.capture.rendering import Errors, recorded
from training.capture.talking_head import TalkingHead, seated_poses
from training.data.films import load_films
from training.data.grid import samples_of
from training.head.ict import ARCHIVE, FaceKit
from training.run.options import exit_status

RATE = 25.0
SENTENCES = (3, 12, 20, 29)  # of those kept out


def tracked_lips(data: Path, engine: Engine) -> list[tuple[np.ndarray, np.ndarray]]:
    """True and tracked lip opening (F,) in mm of rendered takes. Raises EngineError without GRID's films."""
    films = load_films(data, [grid_lips.UPPER])
    if films is None:
        raise EngineError(f"{data / 'grid'} has no motion.npz; see docs/train.md for GRID's sentences.")
    face_kit, found = FaceKit.load(data / ARCHIVE), []
    for number, place in enumerate(SENTENCES):
        samples = samples_of(data, films.keys[films.kept_out()[place]])
        weights = engine.sample((samples, SAMPLE_RATE), seed=number).weights
        if weights is None:
            raise EngineError("This bundle's codes have no ARKit weights; run 'fit-arkit' on it first.")
        times = np.arange(int(len(weights) / CODE_RATE * RATE) - 1) / RATE
        weights = np.clip(CubicSpline(np.arange(len(weights)) / CODE_RATE, weights)(times), 0, 1)
        poses = seated_poses(len(weights), np.random.default_rng(number))
        head = TalkingHead(face_kit, np.zeros(100), weights, poses)
        track = landmarker.track_face(_pictures(head), faces=1)
        points = track.points[:, [grid_lips.UPPER, grid_lips.LOWER, *grid_lips.EYE_CORNERS]]
        found.append((grid_lips.opening_of_weights(weights), grid_lips.opening_mm(points)))
    return found


def kept_share(pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """What a frame keeps of the one before, which explains the tracked lips best."""

    def misfit(share: float) -> float:
        errors = []
        for true, tracked in pairs:
            slow = lfilter([1 - share], [1, -share], true - true[0]) + true[0]
            line = np.stack([slow, np.ones_like(slow)], 1)
            errors.append(np.std(tracked - line @ np.linalg.lstsq(line, tracked, rcond=None)[0]))
        return float(np.mean(errors))

    return min(np.arange(0, 0.8, 0.01).tolist(), key=misfit)


def _pictures(head: TalkingHead):
    faultless, generator = Errors(0, 0, 0, 0, 0), np.random.default_rng(0)
    for frame in range(len(head.weights)):
        yield Picture(frame / RATE, recorded(head, frame, [camera()], faultless, generator)[0].colour)


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns 0, or 2 after printing one line that says what to put right."""
    parser = argparse.ArgumentParser("python -m evaluation.capture.tracker", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="data folder with head/ and grid/ (docs/train.md)")
    options = parser.parse_args(arguments)

    def command() -> None:
        pairs = tracked_lips(options.data, Engine.load(device="cpu"))
        powers = [np.sum([liveliness.band_powers(pair[side], RATE) for pair in pairs], axis=0) for side in (1, 0)]
        print(f"kept from frame to frame: {kept_share(pairs):.2f}")
        print("power, tracked over true: " + ", ".join(f"{value:.2f}" for value in powers[0] / powers[1]))
        print(f"correlation: {np.mean([correlation(*pair) for pair in pairs]):.3f}")

    return exit_status(command)


if __name__ == "__main__":
    sys.exit(main())
