"""Build the cache of all speech and print what it holds, with the fit of the labels of every voice.

python -m training.data --data DATA --output CACHE
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from engine.shared.errors import EngineError
from training.data.alignment import bilabial_dips, sibilant_offset
from training.data.build import build_cache
from training.data.corpus import Corpus, load_corpus

_MEASURED_CLIPS = 60


def report(corpus: Corpus) -> str:
    """A Markdown table: clips, hours, label offset and depth of bilabials for every voice (one row per corpus else)."""
    lines = ["| source | clips | hours | label offset, ms | bilabials quietest inside |", "|---|---|---|---|---|"]
    groups: dict[str, list] = {}
    for clip in corpus.clips:
        synthesised = clip.speaker.startswith(("flite-", "festival-", "espeak-"))
        groups.setdefault(clip.speaker.split("+")[0] if synthesised else clip.corpus, []).append(clip)
    for name, clips in groups.items():
        hours = sum(clip.duration for clip in clips) / 3600
        labelled = [clip for clip in clips if clip.phones][:: max(1, len(clips) // _MEASURED_CLIPS)]
        fit = "| - | - |"
        if labelled:
            measured = [(corpus.audio(clip), clip.phones) for clip in labelled]
            dips = bilabial_dips(measured)
            fit = f"| {1000 * sibilant_offset(measured):+.0f} | {np.mean(dips):.0%} of {len(dips)} |"
        lines.append(f"| {name} | {len(clips)} | {hours:.2f} {fit}")
    return "\n".join(lines)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser("python -m training.data", description="Build the cache of all speech.")
    parser.add_argument("--data", type=Path, required=True, help="data folder")
    parser.add_argument("--output", type=Path, required=True, help="cache folder, built anew")
    parser.add_argument("--synthesised", type=int, default=3600, help="sentences spoken by natural voices")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    try:
        build_cache(options.data, options.output, options.synthesised, options.seed)
    except EngineError as error:
        raise SystemExit(f"error: {error}") from None
    print(report(load_corpus(options.data, options.output)))


if __name__ == "__main__":
    main()
