"""Evaluate a bundle's motion on recordings that nothing was trained or tuned on.

    python -m evaluation.motion --data DATA --output docs/evaluation

Speech: the 32 recordings of LJ Speech in the data folder. Silence: digital silence and room noise. Writes `motion.md`,
`motion.json` and plots.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.bundle import Bundle
from engine.shared.options import DEVICE, STARTER
from evaluation.motion.evaluate import compare_conditions, compare_samplers, compare_temperatures, evaluate
from evaluation.motion.figures import sampled_figures, voiceless_figures
from evaluation.motion.performer import Performer
from evaluation.motion.plots import plot_samplers
from evaluation.motion.recordings import held_out_speech, native_speech, sounds_without_voice
from evaluation.motion.report import report_text
from evaluation.shared.reports import write_report
from training.run.options import exit_status

COMPARED_RECORDINGS = 8


def tuning_figures(performer: Performer, data: Path, seed: int, output: Path) -> dict:
    """Figures on the recordings that guidance and temperature are chosen on."""
    recordings = held_out_speech(data)["speechocean762"]
    figures = evaluate(performer, recordings, seed, output)
    return figures | {"recordings": f"{len(recordings)} recordings of speechocean762's held-out speakers"}


def report_figures(performer: Performer, data: Path, seed: int, output: Path) -> dict:
    """Figures on recordings that nothing was chosen on, and comparisons of settings and conditions."""
    recordings, others = native_speech(data), held_out_speech(data)
    figures = evaluate(performer, recordings, seed, output)
    figures["recordings"] = f"{len(recordings)} recordings of LJ Speech (one native speaker of US English)"
    figures["samplers"] = compare_samplers(performer, recordings[:COMPARED_RECORDINGS], seed)
    plot_samplers(output, figures["samplers"])
    figures["others"] = {name: sampled_figures(performer, held_out, seed) for name, held_out in others.items()}
    figures["temperatures"] = compare_temperatures(performer, others["speechocean762"], seed)
    figures["voiceless"] = voiceless_figures(performer, sounds_without_voice(), seed)
    figures["conditions"] = compare_conditions(performer, recordings, others["speechocean762"], seed)
    return figures


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m evaluation.motion", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="data folder")
    parser.add_argument("--output", type=Path, required=True, help="folder for the report")
    parser.add_argument("--bundle", default=STARTER)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default=DEVICE)
    parser.add_argument("--held-out", action="store_true", help="tune on speechocean762's held-out speakers instead")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    figures_of = tuning_figures if options.held_out else report_figures
    performer = Performer(Bundle.open(options.bundle), options.device)
    figures = figures_of(performer, options.data, options.seed, options.output)
    write_report(options.output, "motion", figures, report_text)


if __name__ == "__main__":
    sys.exit(exit_status(main))
