"""What five minutes of a person's own captures teach: GRID's speaker s1, held against his other sentences.

    python -m evaluation.studies.own_captures --data DATA --bundle BUNDLE --output OUT --minutes 12

Writes OUT/captures, 100 of his sentences as sound with CSV of Live Link Face, has `python -m training.motion
--captures` learn of them, and compares takes before and after with his tracked lips in the sentences that are kept out
of every training. BUNDLE must not know his lips yet.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from pathlib import Path

import numpy as np
import soundfile

from engine import Engine
from engine.shared.arkit import ARKIT_NAMES
from engine.shared.errors import EngineError
from engine.shared.units import CODE_RATE, SAMPLE_RATE
from evaluation.motion.performance import lips_figures
from training import motion
from training.prior.filmed_motion import FilmedSentence, filmed_sentences
from training.run.options import exit_status

SENTENCES, RECORDINGS = 100, 5
COLUMN_RATE = 60  # frames per second of the app's time codes


def write_captures(sentences: list[FilmedSentence], folder: Path) -> None:
    """Recordings of joined sentences, each a WAV and a CSV as Live Link Face writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, part in enumerate(np.array_split(np.arange(len(sentences)), RECORDINGS)):
        samples, weights = [], []
        for index in part:
            sentence = sentences[index]
            length = round(len(sentence.weights) / CODE_RATE * SAMPLE_RATE)
            heard = sentence.utterance.samples[:length]
            samples.append(np.pad(heard, (0, length - len(heard))))
            weights.append(sentence.weights[:, : len(ARKIT_NAMES)])
        soundfile.write(folder / f"{number}.wav", np.concatenate(samples), SAMPLE_RATE)
        _write_table(folder / f"{number}.csv", np.concatenate(weights))


def _write_table(path: Path, weights: np.ndarray) -> None:
    count = int(len(weights) / CODE_RATE * COLUMN_RATE)
    times = np.arange(count) / COLUMN_RATE
    table = [np.interp(times, np.arange(len(weights)) / CODE_RATE, column) for column in weights.T]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["Timecode", "BlendshapeCount", *(name[:1].upper() + name[1:] for name in ARKIT_NAMES)])
        for frame, row in enumerate(np.stack(table, 1)):
            second, rest = divmod(frame, COLUMN_RATE)
            code = f"00:{second // 60:02d}:{second % 60:02d}:{rest:02d}.000"
            writer.writerow([code, len(ARKIT_NAMES), *(f"{value:.5f}" for value in row)])


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns 0, or 2 after printing one line that says what to put right."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(
        "python -m evaluation.studies.own_captures", description=__doc__, formatter_class=plain
    )
    parser.add_argument("--data", type=Path, required=True, help="data folder with grid/ (docs/train.md)")
    parser.add_argument("--bundle", required=True, help="bundle folder that does not know this speaker's lips")
    parser.add_argument("--output", type=Path, required=True, help="folder of captures, run and figures")
    parser.add_argument("--minutes", default="12", help="of training (default: %(default)s)")
    options = parser.parse_args(arguments)

    def command() -> None:
        sentences, _ = filmed_sentences(options.data, options.output)
        if len(sentences) < SENTENCES:
            raise EngineError(f"{options.data} has too few of GRID's sentences; see docs/train.md.")
        chosen = [sentences[index] for index in np.linspace(0, len(sentences) - 1, SENTENCES).round().astype(int)]
        write_captures(chosen, options.output / "captures")
        begun, run = time.process_time(), options.output / "run"
        learn = ["--captures", str(options.output / "captures"), "--bundle", options.bundle, "--output", str(run)]
        if motion.main([*learn, "--minutes", options.minutes]):
            raise EngineError("The training ended with an error; see above.")
        print(f"processor time of the training: {(time.process_time() - begun) / 60:.1f} min")
        for name, bundle in (("before", options.bundle), ("after", str(run / "bundle"))):
            for kind, row in lips_figures(Engine.load(bundle, device="cpu"), options.data, 0).items():
                powers = ", ".join(f"{value:.2f}" for value in row["powers"])
                print(f"{name}, {kind}: correlation {row['correlation']:.3f}, power {powers}")

    return exit_status(command)


if __name__ == "__main__":
    sys.exit(main())
