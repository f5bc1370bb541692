"""Audio to expression codes: what a clip costs, the paper's sampler and the default one side by side.

    python -m benchmarks.audio_to_codes [--seconds 10] [--device cpu] [--threads 2] [--bundle BUNDLE]

A bundle with its own defaults and the paper's sizes (wav2vec2-base, 8 decoder layers) with random weights, in one run.
DDPM with 1000 steps is extrapolated from 50 of its steps, and marked so. CPU seconds, summed over threads, are the
figure to trust on a busy machine.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch

from engine.bundle import Bundle
from engine.motion.denoiser import DenoiserConfig, ExpressionDecoder, load_expression_decoder
from engine.motion.diffusion import sample
from engine.motion.speech import SpeechConfig, SpeechEncoder, load_speech_encoder
from engine.shared.options import STARTER
from engine.shared.units import SAMPLE_RATE

MEASURED_DDPM_STEPS = 50
PAPER_STEPS = 1000


def seconds_of(run: Callable[[], object], device: torch.device, repeats: int) -> np.ndarray:
    """Median wall and CPU seconds (2,) of `run`, after one unmeasured call."""
    times = []
    for _ in range(repeats + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    return np.median(times[1:], axis=0)


def measure(
    name: str, encoder: SpeechEncoder, decoder: ExpressionDecoder, defaults: dict, seconds: float, repeats: int
) -> None:
    """Print one line per stage for one model. defaults: steps, sampler and guidance of its motion."""
    device = decoder.null_condition.device
    samples = np.random.default_rng(0).standard_normal(round(seconds * SAMPLE_RATE)).astype(np.float32)
    features = encoder.features(samples)

    def sampling(**settings: object) -> Callable[[], object]:
        return lambda: sample(decoder, features, seed=0, **settings)

    speech = seconds_of(lambda: encoder.features(samples), device, repeats)
    fast = seconds_of(sampling(**defaults), device, repeats)
    unguided = seconds_of(sampling(**defaults | {"guidance": 1.0}), device, repeats)
    paper = seconds_of(sampling(steps=MEASURED_DDPM_STEPS, sampler="ddpm"), device, 1)
    paper *= PAPER_STEPS / MEASURED_DDPM_STEPS
    rows = {
        "speech encoder": speech,
        f"{defaults['sampler']}, {defaults['steps']} steps, guidance {defaults['guidance']:g} (default)": fast,
        "the same, guidance 1": unguided,
        f"DDPM, {PAPER_STEPS} steps (extrapolated from {MEASURED_DDPM_STEPS})": paper,
        "audio to codes, default": speech + fast,
        "audio to codes, DDPM (extrapolated)": speech + paper,
    }
    size = sum(weight.numel() for network in (encoder, decoder) for weight in network.parameters()) / 1e6
    print(f"\n{name}: {size:.1f} M weights, {len(features)} code frames from {seconds:g} s of audio")
    print(f"  {'':46}{'wall s':>10}{'CPU s':>10}{'x real time':>13}")
    for label, (wall, cpu) in rows.items():
        print(f"  {label:46}{wall:10.3f}{cpu:10.3f}{seconds / wall:13.2f}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="length of the clip")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="CPU threads of torch")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--bundle", default=STARTER)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    device = torch.device(arguments.device)
    print(f"torch {torch.__version__}, {device}, {arguments.threads} threads")
    bundle = Bundle.open(arguments.bundle)
    defaults = {name: bundle.section("motion")[f"default_{name}"] for name in ("steps", "sampler", "guidance")}
    networks = load_speech_encoder(bundle, device), load_expression_decoder(bundle, device)
    measure(bundle.name, *networks, defaults, arguments.seconds, arguments.repeats)
    official = (SpeechEncoder(SpeechConfig()).to(device).eval(), ExpressionDecoder(DenoiserConfig()).to(device).eval())
    measure("official sizes, random weights", *official, defaults, arguments.seconds, arguments.repeats)


if __name__ == "__main__":
    main()
