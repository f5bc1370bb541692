"""Evaluate a bundle's motion on recordings that nothing was trained or tuned on.

    python -m evaluation.motion --data DATA --output docs/evaluation
    python -m evaluation.motion --data DATA --output docs/evaluation --only voiceless conditions

Speech: the 32 recordings of LJ Speech in the data folder. Silence: digital silence and room noise. Writes `motion.md`,
`motion.json` and plots.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from engine.bundle import Bundle
from engine.shared.options import DEVICE, STARTER
from evaluation.motion.evaluate import compare_conditions, compare_samplers, compare_temperatures, evaluate
from evaluation.motion.figures import sampled_figures, voiceless_figures
from evaluation.motion.performer import Performer
from evaluation.motion.plots import plot_samplers
from evaluation.motion.recordings import held_out_english, held_out_speech, native_speech, sounds_without_voice
from evaluation.motion.report import report_text
from evaluation.shared.reports import write_report
from training.run.options import exit_status

COMPARED_RECORDINGS = 8


def tuning_figures(performer: Performer, data: Path, seed: int, output: Path) -> dict:
    """Figures on the recordings that guidance and temperature are chosen on."""
    recordings = held_out_speech(data)["speechocean762"]
    figures = evaluate(performer, recordings, seed, output)
    return figures | {"recordings": f"{len(recordings)} recordings of speechocean762's held-out speakers"}


def native_figures(performer: Performer, data: Path, seed: int, output: Path) -> dict:
    """The main table, silence and plots, on recordings that nothing was chosen on."""
    recordings = native_speech(data)
    figures = evaluate(performer, recordings, seed, output)
    return figures | {"recordings": f"{len(recordings)} recordings of LJ Speech (one native speaker of US English)"}


def sampler_figures(performer: Performer, data: Path, seed: int, output: Path) -> dict:
    """Every sampler and number of steps."""
    figures = compare_samplers(performer, native_speech(data)[:COMPARED_RECORDINGS], seed)
    plot_samplers(output, figures)
    return {"samplers": figures}


def other_figures(performer: Performer, data: Path, seed: int, output: Path) -> dict:
    """Other speakers."""
    return {"others": {name: sampled_figures(performer, r, seed) for name, r in held_out_speech(data).items()}}


def temperature_figures(performer: Performer, data: Path, seed: int, output: Path) -> dict:
    """Temperatures of the mouth."""
    return {"temperatures": compare_temperatures(performer, held_out_english(data), seed)}


def figures_without_voice(performer: Performer, data: Path, seed: int, output: Path) -> dict:
    """Sounds that nobody speaks."""
    return {"voiceless": voiceless_figures(performer, sounds_without_voice(data), seed)}


def condition_figures(performer: Performer, data: Path, seed: int, output: Path) -> dict:
    """The first recordings under other conditions."""
    return {"conditions": compare_conditions(performer, native_speech(data), held_out_english(data), seed)}


PARTS = {
    "native": native_figures,
    "samplers": sampler_figures,
    "others": other_figures,
    "temperatures": temperature_figures,
    "voiceless": figures_without_voice,
    "conditions": condition_figures,
}


def report_figures(performer: Performer, data: Path, seed: int, output: Path, parts: Sequence[str]) -> dict:
    """Figures of some PARTS; those of the others are what the report in the output folder has."""
    path = output / "motion.json"
    figures = json.loads(path.read_text("utf-8")) if path.is_file() and set(parts) != set(PARTS) else {}
    for name in parts:
        figures |= PARTS[name](performer, data, seed, output)
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
    parser.add_argument("--only", choices=PARTS, nargs="+", default=list(PARTS), help="parts that are measured again")
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    performer = Performer(Bundle.open(options.bundle), options.device)
    arguments_of_all = performer, options.data, options.seed, options.output
    figures = tuning_figures(*arguments_of_all) if options.held_out else report_figures(*arguments_of_all, options.only)
    write_report(options.output, "motion", figures, report_text)


if __name__ == "__main__":
    sys.exit(exit_status(main))
