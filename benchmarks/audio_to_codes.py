"""Audio to expression codes: what a clip costs, the paper's sampler and the default one side by side.

    python -m benchmarks.audio_to_codes [--seconds 10] [--runs 3] [--device cpu] [--threads 2] [--bundle BUNDLE]

A bundle with its own defaults and the paper's sizes (wav2vec2-base, 8 decoder layers) with random weights, in one run.
DDPM with 1000 steps is extrapolated from 50 of its steps, and marked so. CPU seconds, summed over threads, are the
figure to trust on a busy machine.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
import torch

from benchmarks.measuring import conditions, median_seconds, print_table
from engine.bundle import Bundle
from engine.motion.denoiser import DenoiserConfig, ExpressionDecoder, load_expression_decoder
from engine.motion.diffusion import sample
from engine.motion.sampling_defaults import SamplingDefaults
from engine.motion.speech import SpeechConfig, SpeechEncoder, load_speech_encoder
from engine.shared.options import STARTER
from engine.shared.units import SAMPLE_RATE

MEASURED_DDPM_STEPS = 50
PAPER_STEPS = 1000


def measure(
    name: str, encoder: SpeechEncoder, decoder: ExpressionDecoder, defaults: dict, seconds: float, runs: int
) -> None:
    """Print a table with a row per stage for one model. defaults: steps, sampler and guidance of its motion."""
    device = str(decoder.null_condition.device)
    samples = np.random.default_rng(0).standard_normal(round(seconds * SAMPLE_RATE)).astype(np.float32)
    features = encoder.features(samples)

    def sampling(**settings: object) -> Callable[[], object]:
        return lambda: sample(decoder, features, seed=0, **settings)

    speech = median_seconds(lambda: encoder.features(samples), runs, device)
    fast = median_seconds(sampling(**defaults), runs, device)
    unguided = median_seconds(sampling(**defaults | {"guidance": 1.0}), runs, device)
    paper = median_seconds(sampling(steps=MEASURED_DDPM_STEPS, sampler="ddpm"), 1, device)
    paper *= PAPER_STEPS / MEASURED_DDPM_STEPS
    rows = {
        "speech encoder": speech,
        f"{defaults['sampler']}, {defaults['steps']} steps, guidance {defaults['guidance']:g} (default)": fast,
        "the same, guidance 1": unguided,
        f"DDPM, {PAPER_STEPS} steps (extrapolated from {MEASURED_DDPM_STEPS}, one run)": paper,
        "audio to codes, default": speech + fast,
        "audio to codes, DDPM (extrapolated)": speech + paper,
    }
    size = sum(weight.numel() for network in (encoder, decoder) for weight in network.parameters()) / 1e6
    print_table(
        f"{name}: {size:.1f} M weights, {len(features)} code frames from {seconds:g} s of audio",
        ["stage", "wall s", "CPU s", "times real time"],
        [[label, f"{wall:.3f}", f"{cpu:.3f}", f"{seconds / wall:.2f}"] for label, (wall, cpu) in rows.items()],
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the clip")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads of torch")
    parser.add_argument("--runs", type=int, default=3, help="that the medians are of")
    parser.add_argument("--bundle", default=STARTER)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    device = torch.device(arguments.device)
    print(conditions(arguments.threads, f"{arguments.runs} runs", device))
    bundle = Bundle.open(arguments.bundle)
    chosen = SamplingDefaults.of(bundle)
    defaults = {"steps": chosen.steps, "sampler": chosen.sampler, "guidance": chosen.guidance}
    networks = load_speech_encoder(bundle, device), load_expression_decoder(bundle, device)
    measure(bundle.name, *networks, defaults, arguments.seconds, arguments.runs)
    official = (SpeechEncoder(SpeechConfig()).to(device).eval(), ExpressionDecoder(DenoiserConfig()).to(device).eval())
    measure("official sizes, random weights", *official, defaults, arguments.seconds, arguments.runs)


if __name__ == "__main__":
    main()
