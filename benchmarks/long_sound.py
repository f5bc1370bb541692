"""What a long sound costs, and whether it changes what is said in it: `python -m benchmarks.long_sound [--minutes 10]`.

The demo's recording is said again and again, each time at another level. Memory is the most that the process had,
torch included; progress is what Blender shows. Then the recording at the beginning and at every later place of
the long sound is held against itself alone, with the same seed, beside every two seeds of it alone: single ones differ
by a third from each other.
"""

from __future__ import annotations

import argparse
import resource
import time
from itertools import combinations

import numpy as np
import torch

from benchmarks.measuring import conditions, print_table, spread
from engine import Engine
from engine.motion import audio
from engine.shared.units import CODE_RATE, SAMPLE_RATE
from tests.helpers.repository import ROOT

GAINS = (1.0, 0.5, 0.8, 0.3)  # of the turns
EDGE = round(0.5 * CODE_RATE)  # code frames at both ends, which hear their neighbours
SEEDS = 6


def voice() -> np.ndarray:
    """16 kHz samples of the recording, as long as whole code frames."""
    step, samples = SAMPLE_RATE // 8, audio.load(ROOT / "demo" / "voice.wav")  # three code frames
    return samples[: len(samples) // step * step]


def long_sound(minutes: float) -> tuple[np.ndarray, list[int]]:
    """Samples, and where the recording begins at full level."""
    said = voice()
    turns = -(-round(minutes * 60 * SAMPLE_RATE) // len(said))
    parts = [GAINS[turn % len(GAINS)] * said for turn in range(turns)]
    return np.concatenate(parts), [turn * len(said) for turn in range(0, turns, len(GAINS))]


def difference(first: np.ndarray, second: np.ndarray) -> float:
    """Root mean square of the difference of two lip openings (N,) in mm, without the ends."""
    return float(np.sqrt(np.mean(np.square(first - second)[EDGE:-EDGE])))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    sound, places = long_sound(options.minutes)
    count = round(len(voice()) / SAMPLE_RATE * CODE_RATE)
    engine = Engine.load()
    engine.sample((sound[:SAMPLE_RATE], SAMPLE_RATE))  # loads the networks
    before, told = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, []
    begun = time.process_time()
    whole = engine.sample((sound, SAMPLE_RATE), progress=lambda share: told.append(time.process_time() - begun))
    ended = time.process_time() - begun
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    alone = [engine.sample((voice(), SAMPLE_RATE), seed=seed).lip_opening_mm[:count] for seed in range(SEEDS)]
    opening = whole.lip_opening_mm
    seeds = [difference(*pair) for pair in combinations(alone, 2)]
    starts = [round(place / SAMPLE_RATE * CODE_RATE) for place in places]
    later = [difference(alone[0], opening[at : at + count]) for at in starts[1:] if at + count <= len(opening)]
    gaps = np.diff([0.0, *told, ended])
    print(conditions(torch.get_num_threads(), f"{options.minutes:g} minutes of sound"))
    rows = [
        ["memory of the process, MB; before it", f"{memory:.0f}; {before:.0f}"],
        ["CPU seconds; until the first progress; at most between two", f"{ended:.1f}; {told[0]:.2f}; {gaps.max():.2f}"],
        ["lip opening, mm: two seeds of the recording alone", spread(seeds)],
        ["alone and at the beginning, same seed", f"{difference(alone[0], opening[:count]):.2f}"],
        [f"alone and at {len(later)} later places, which have other noise", spread(later)],
    ]
    print_table("A long sound", ["what", ""], rows)


if __name__ == "__main__":
    main()
