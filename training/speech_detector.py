"""Put Silero VAD's weights into a bundle, as its speech detector.

    python -m training.speech_detector silero_vad.jit --bundle BUNDLE

The file is that of the package silero-vad (6.2.3; MIT). It is a program, which PyTorch runs: take it from there alone.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from engine.bundle import merge_section
from engine.motion.speech_detector import SECTION, SpeechDetector
from training.run.options import exit_status

SOURCE = "Silero VAD 6.2.3"


def weights_of(path: Path) -> dict[str, torch.Tensor]:
    """Weights by the names of `SpeechDetector`, of Silero's network for 16 kHz."""
    found = dict(torch.jit.load(str(path), map_location="cpu")._model.named_parameters())
    names = {f"encoder.{i}.reparam_conv": f"convolutions.{i}" for i in range(4)} | {"decoder.decoder.2": "out"}
    weights = {
        f"{ours}.{kind}": found[f"{theirs}.{kind}"] for theirs, ours in names.items() for kind in ("weight", "bias")
    }
    weights["out.weight"] = weights["out.weight"][..., 0]
    for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
        weights[f"memory.{name}_l0"] = found[f"decoder.rnn.{name}"]
    SpeechDetector().load_state_dict(weights)
    return {name: weight.detach() for name, weight in weights.items()}


def main(words: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser("python -m training.speech_detector", description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path, help="silero_vad.jit of the package silero-vad")
    parser.add_argument("--bundle", type=Path, required=True)
    options = parser.parse_args(words)
    merge_section(options.bundle, SECTION, {"source": SOURCE}, weights_of(options.weights))


if __name__ == "__main__":
    raise SystemExit(exit_status(main))
