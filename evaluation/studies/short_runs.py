"""Short trainings of the expression decoder, equal in steps, seed and features, whose results are compared.

Each has a folder of its own and continues from its last checkpoint when the command is started again.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import torch

from engine.bundle import Bundle
from engine.motion.denoiser import DenoiserConfig, ExpressionDecoder, load_expression_decoder
from engine.motion.diffusion import CosineSchedule
from engine.shared.errors import EngineError
from engine.shared.options import DEVICE, STARTER
from training import motion, motion_examples
from training.run.loop import Run


def short_run_parser(description: str, steps: int) -> argparse.ArgumentParser:
    """Options of a command that makes short runs and reports on them. steps: the default number of steps of each."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help="data folder")
    parser.add_argument("--cache", type=Path, required=True, help="decoded audio (python -m training.data)")
    parser.add_argument("--output", type=Path, required=True, help="folder of the runs; what is there is continued")
    parser.add_argument("--report", type=Path, required=True, help="folder for the report")
    parser.add_argument("--bundle", default=STARTER, help="bundle with the speech encoder and the head")
    parser.add_argument("--steps", type=int, default=steps, help="optimiser steps of each run (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default=DEVICE)
    return parser


def check_settings(folder: Path, settings: dict) -> None:
    """Record what all runs of a folder share. Raises EngineError when they were started with something else."""
    path = folder / "settings.json"
    if path.is_file() and json.loads(path.read_text("utf-8")) != settings:
        raise EngineError(f"The runs in {folder} were started with other settings; choose another --output.")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(settings, indent=1) + "\n", "utf-8")


def trained_decoder(
    folder: Path,
    steps: int,
    crops: motion_examples.CropMaker,
    device: torch.device,
    sizes: DenoiserConfig | None = None,
    schedule: CosineSchedule | None = None,
) -> ExpressionDecoder:
    """The decoder of one run, from the bundle it exports, after what is left of its training."""
    run = Run(folder, motion.PEAK_LEARNING_RATE, steps, seed=crops.seed)
    run.write_config(asdict(sizes or motion.SMALL))
    motion.train(run, crops, device, sizes, schedule)
    return load_expression_decoder(Bundle.open(folder / "export"), device)
