"""Train FaceTalk's expression decoder as the paper does, on a dataset in the paper's folder layout.

    python -m training.paper --data DATA --speech-encoder WAV2VEC2 --output RUN

The speech encoder is frozen; its features are computed once per sequence. `RUN/export` becomes a bundle with speech
and motion, to which `python -m engine import nphm ... --output RUN/export --add` adds the head that was tracked with.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine.bundle import Bundle, merge_section
from engine.devices import choose_device
from engine.importing.wav2vec2 import import_wav2vec2
from engine.motion import audio
from engine.motion.denoiser import DenoiserConfig, ExpressionDecoder, load_expression_decoder
from engine.motion.diffusion import CosineSchedule
from engine.motion.sampling_defaults import SamplingDefaults
from engine.motion.speech import SpeechEncoder, load_speech_encoder
from training.motion import denoised, start_from
from training.paper_dataset import TrackedSequence, read_sequences, split
from training.run.loop import Recipe, Run, step_seed
from training.run.options import SPEECH_ENCODER_HELP, add_run_options, exit_status, run_of

# Section 4 and supplement B of the paper.
BATCH, CROP = 32, 48
AMPLITUDE = (0.5, 3.0)
VALIDATION_SHARE = 0.1
VALIDATION_SEED = 1
# The paper keeps one learning rate and does not clip.
RECIPE = Recipe(warm_up_steps=0, final_rate=1.0, largest_gradient=float("inf"), save_every=500)
DEFAULTS = SamplingDefaults(steps=8, sampler="dpm++", guidance=1.0)


class Crops:
    """Crops of some sequences with their frozen speech features.

    features: per sequence (N, A) half precision; codes: (N, D) float32.
    """

    def __init__(self, encoder: SpeechEncoder, sequences: list[TrackedSequence]) -> None:
        self.features = [encoder.features(audio.load(sequence.audio)).half().cpu() for sequence in sequences]
        self.codes = [torch.from_numpy(sequence.codes) for sequence in sequences]
        # Resampling to 16 kHz may round the last frame away.
        self.codes = [codes[: len(features)] for codes, features in zip(self.codes, self.features, strict=True)]
        self.ends = np.cumsum([len(codes) - CROP + 1 for codes in self.codes])

    @property
    def code_scale(self) -> float:
        """Root mean square of all codes."""
        return float(torch.cat(self.codes).double().square().mean().sqrt())

    def batch(self, seed: int, step: int) -> tuple[Tensor, Tensor]:
        """Features (BATCH, CROP, A) and codes (BATCH, CROP, D) of random crops, each scaled by its own r ~ U(0.5, 3).

        Every crop is as likely as any other; the batch follows from the seed and the step alone.
        """
        generator = np.random.default_rng((seed, step))
        crops = [self._crop(int(number)) for number in generator.integers(self.ends[-1], size=BATCH)]
        amplitudes = torch.from_numpy(generator.uniform(*AMPLITUDE, (BATCH, 1, 1)).astype(np.float32))
        return torch.stack([features for features, _ in crops]), amplitudes * torch.stack([codes for _, codes in crops])

    def all(self) -> tuple[Tensor, Tensor]:
        """Features (C, CROP, A) and codes (C, CROP, D) of crops side by side, as they are."""
        starts = [range(0, len(codes) - CROP + 1, CROP) for codes in self.codes]
        places = [(row, start) for row, row_starts in enumerate(starts) for start in row_starts]
        features = [self.features[row][start : start + CROP].float() for row, start in places]
        return torch.stack(features), torch.stack([self.codes[row][start : start + CROP] for row, start in places])

    def _crop(self, number: int) -> tuple[Tensor, Tensor]:
        row = int(np.searchsorted(self.ends, number, side="right"))
        window = slice(number - (self.ends[row - 1] if row else 0), None)
        return self.features[row][window][:CROP].float(), self.codes[row][window][:CROP]


def train(run: Run, training: Crops, validation: Crops, device: torch.device, start: Path | None = None) -> None:
    """Train until the run's budget is used and export the average that validates best.

    start: a bundle from whose decoder a new run begins. Raises EngineError when that decoder is of other dimensions.
    """
    torch.manual_seed(run.seed)
    config = DenoiserConfig(
        code_dimensions=training.codes[0].shape[1],
        audio_dimensions=training.features[0].shape[1],
        code_scale=training.code_scale,
    )
    decoder = ExpressionDecoder(config).to(device)
    if start:
        start_from(decoder, load_expression_decoder(Bundle.open(start), device))
    schedule = CosineSchedule()

    def loss(step: int) -> tuple[Tensor, dict[str, Tensor]]:
        features, codes = (tensor.to(device) for tensor in training.batch(run.seed, step))
        codes = codes / config.code_scale
        generator = torch.Generator().manual_seed(step_seed(run.seed, step))
        value = functional.mse_loss(denoised(decoder, schedule, features, codes, generator), codes)
        return value, {"loss": value}

    def at_checkpoint(average: ExpressionDecoder) -> dict[str, float]:
        found = validation_loss(average, validation)
        if found < run.figures.get("best_validation", float("inf")):
            run.figures["best_validation"] = found
            merge_section(run.folder / "export", "motion", asdict(config) | DEFAULTS.section(), average.state_dict())
        return {"validation": found}

    run.train(decoder, [torch.optim.Adam(decoder.parameters())], loss, RECIPE, at_checkpoint)


@torch.no_grad()
def validation_loss(decoder: ExpressionDecoder, crops: Crops) -> float:
    """Mean squared error on all crops, in units of the code scale, with the same noise at every call."""
    decoder.eval()
    device = next(decoder.parameters()).device
    schedule, generator = CosineSchedule(), torch.Generator().manual_seed(VALIDATION_SEED)
    total, count = 0.0, 0
    for features, codes in zip(*(tensor.split(BATCH) for tensor in crops.all()), strict=True):
        clean = codes.to(device) / decoder.config.code_scale
        error = denoised(decoder, schedule, features.to(device), clean, generator) - clean
        total, count = total + error.square().sum().item(), count + error.numel()
    return total / count


def prepare(options: argparse.Namespace, run: Run, device: torch.device) -> tuple[Crops, Crops]:
    """Crops for training and for validation; the run's export gets the speech encoder, its config the two lists.

    Raises EngineError for a dataset or an encoder that cannot be used, before anything is written.
    """
    parts = split(read_sequences(options.data, CROP, options.key), options.validation, run.seed)
    bundle = import_wav2vec2(options.speech_encoder, run.folder / "export", add=True)
    names = {"training": [s.name for s in parts[0]], "validation": [s.name for s in parts[1]]}
    run.write_config({"batch": BATCH, "crop": CROP, "amplitude": AMPLITUDE} | names)
    encoder = load_speech_encoder(bundle, device)
    return Crops(encoder, parts[0]), Crops(encoder, parts[1])


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns 0, or 2 after printing one line that says what to put right."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m training.paper", description=__doc__, formatter_class=plain)
    parser.add_argument("--data", type=Path, required=True, help="dataset folder")
    parser.add_argument("--speech-encoder", type=Path, required=True, help=SPEECH_ENCODER_HELP)
    add_run_options(parser, learning_rate=1e-4, steps=50_000)
    parser.add_argument("--validation", type=float, default=VALIDATION_SHARE, help="share of the sequences kept out")
    parser.add_argument("--key", help="name of the code's array in a frame's file (default: the only one)")
    options = parser.parse_args(arguments)

    def command() -> None:
        run, device = run_of(options), choose_device(options.device)
        train(run, *prepare(options, run, device), device, options.start)

    return exit_status(command)


if __name__ == "__main__":
    sys.exit(main())
