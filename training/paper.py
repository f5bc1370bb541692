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

from engine.bundle import merge_section
from engine.engine import choose_device
from engine.importing.wav2vec2 import import_wav2vec2
from engine.motion import audio
from engine.motion.denoiser import DenoiserConfig, ExpressionDecoder
from engine.motion.diffusion import CosineSchedule
from engine.motion.speech import SpeechEncoder, load_speech_encoder
from engine.shared.errors import EngineError
from training.motion import SPEECH_ENCODER_HELP, denoised
from training.paper_dataset import TrackedSequence, read_sequences, split
from training.run import AveragedWeights, TrainingRun

# Section 4 and supplement B of the paper.
BATCH, CROP, STEPS, LEARNING_RATE = 32, 48, 50_000, 1e-4
AMPLITUDE = (0.5, 3.0)
VALIDATION_SHARE = 0.1
VALIDATION_SEED = 1
SAVE_EVERY = 500


class Crops:
    """Crops of some sequences with their frozen speech features.

    features: per sequence (N, A) half precision; codes: (N, D) float32.
    """

    def __init__(self, encoder: SpeechEncoder, sequences: list[TrackedSequence]) -> None:
        self.features = [encoder.features(audio.load(sequence.audio)).half().cpu() for sequence in sequences]
        self.codes = [torch.from_numpy(sequence.codes) for sequence in sequences]
        # Resampling to 16 kHz may round the last frame away.
        self.codes = [codes[: len(heard)] for codes, heard in zip(self.codes, self.features, strict=True)]
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


def train(run: TrainingRun, training: Crops, validation: Crops, steps: int, seed: int, device: torch.device) -> None:
    """Train up to `steps` in all; resumes from the run's checkpoint, and exports the average that validates best.

    Raises EngineError when the checkpoint is of a network of other dimensions.
    """
    torch.manual_seed(seed)
    dimensions = {"code_dimensions": training.codes[0].shape[1], "audio_dimensions": training.features[0].shape[1]}
    config = DenoiserConfig(**dimensions, code_scale=training.code_scale)
    decoder = ExpressionDecoder(config).to(device)
    optimiser = torch.optim.Adam(decoder.parameters(), LEARNING_RATE)
    average, best = AveragedWeights(decoder), float("inf")
    if states := run.resume():
        try:
            decoder.load_state_dict(states["decoder"])
        except RuntimeError as error:
            message = f"The run in {run.folder} was begun with other codes or another encoder; choose another --output."
            raise EngineError(message) from error
        optimiser.load_state_dict(states["optimiser"])
        average.load(states["average"])
        best = states["validation"]["best"]
    schedule = CosineSchedule()
    while run.step < steps and run.progress < 1.0:
        features, codes = (tensor.to(device) for tensor in training.batch(seed, run.step))
        codes = codes / config.code_scale
        # Dropout draws from the global generator: a run that was stopped goes on as if it had not been.
        torch.manual_seed(seed * 1_000_003 + run.step)
        generator = torch.Generator().manual_seed(seed * 1_000_003 + run.step)
        decoder.train()
        loss = functional.mse_loss(denoised(decoder, schedule, features, codes, generator), codes)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        run.step += 1
        average.update(decoder, run.step)
        if run.step % SAVE_EVERY == 0 or run.step == steps or run.progress >= 1.0:
            error = validation_loss(config, average.state, validation, device)
            run.log(loss=loss.item(), validation=error)
            if error < best:
                best = error
                merge_section(run.folder / "export", "motion", asdict(config), average.state)
            states = {"decoder": decoder.state_dict(), "optimiser": optimiser.state_dict(), "average": average.state}
            run.save(**states, validation={"best": best})


@torch.no_grad()
def validation_loss(config: DenoiserConfig, state: dict[str, Tensor], crops: Crops, device: torch.device) -> float:
    """Mean squared error on all crops, in units of the code scale, with the same noise at every call."""
    decoder = ExpressionDecoder(config).to(device).eval()
    decoder.load_state_dict(state)
    schedule, generator = CosineSchedule(), torch.Generator().manual_seed(VALIDATION_SEED)
    total, count = 0.0, 0
    for features, codes in zip(*(tensor.split(BATCH) for tensor in crops.all()), strict=True):
        clean = codes.to(device) / config.code_scale
        error = denoised(decoder, schedule, features.to(device), clean, generator) - clean
        total, count = total + error.square().sum().item(), count + error.numel()
    return total / count


def prepare(
    data: Path, speech_encoder: Path, run: TrainingRun, share: float, seed: int, device: torch.device, key: str | None
) -> tuple[Crops, Crops]:
    """Crops for training and for validation; the run's export gets the speech encoder, its config the two lists.

    Raises EngineError for a dataset or an encoder that cannot be used, before anything is written.
    """
    parts = split(read_sequences(data, CROP, key), share, seed)
    bundle = import_wav2vec2(speech_encoder, run.folder / "export", add=True)
    names = {"training": [s.name for s in parts[0]], "validation": [s.name for s in parts[1]]}
    constants = {"batch": BATCH, "crop": CROP, "learning_rate": LEARNING_RATE, "amplitude": AMPLITUDE}
    run.write_config({"seed": seed} | constants | names)
    encoder = load_speech_encoder(bundle, device)
    return Crops(encoder, parts[0]), Crops(encoder, parts[1])


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns 0, or 2 after printing one line that says what to mend."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m training.paper", description=__doc__, formatter_class=plain)
    parser.add_argument("--data", type=Path, required=True, help="dataset folder")
    parser.add_argument("--speech-encoder", type=Path, required=True, help=SPEECH_ENCODER_HELP)
    parser.add_argument("--output", type=Path, required=True, help="run folder; an existing run is continued")
    parser.add_argument("--steps", type=int, default=STEPS, help="of the whole run (default: %(default)s)")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop earlier, after this time in all")
    parser.add_argument("--validation", type=float, default=VALIDATION_SHARE, help="share of the sequences kept out")
    parser.add_argument("--key", help="name of the code's array in a frame's file (default: the only one)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(arguments)
    run = TrainingRun(options.output, options.minutes)
    try:
        device = choose_device(options.device)
        common = (options.validation, options.seed, device, options.key)
        crops = prepare(options.data, options.speech_encoder, run, *common)
        train(run, *crops, options.steps, options.seed, device)
    except EngineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
