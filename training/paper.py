"""Train FaceTalk's expression decoder as the paper does, on a dataset in the paper's folder layout.

    python -m training.paper --data DATA --speech-encoder WAV2VEC2 --output RUN
    python -m training.paper --data DATA --condition landmarks --output RUN
    python -m training.paper --data DATA --speech-encoder WAV2VEC2 --target flame --output RUN
    torchrun --nproc-per-node 8 -m training.paper ...

The speech encoder is frozen; its features are kept beside the sound. `RUN/export` becomes a bundle with speech and
motion, to which `python -m engine import nphm ... --output RUN/export --add` adds the head that was tracked with.
With --condition landmarks 68 captured points take the place of the voice (Fig. 8); with --target flame the decoder
makes FLAME's expression coefficients instead of codes (the README's baseline). `RUN/tensorboard` is for TensorBoard.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine import Engine
from engine.bundle import Bundle, merge_section, update_config
from engine.devices import choose_device
from engine.importing.wav2vec2 import import_speech_encoder, import_wav2vec2
from engine.motion.denoiser import DenoiserConfig, ExpressionDecoder, load_expression_decoder
from engine.motion.diffusion import CosineSchedule
from engine.motion.landmarks import SECTION, LandmarkCondition, steady
from engine.motion.sampling_defaults import SamplingDefaults
from engine.motion.speech import load_speech_encoder
from engine.shared.errors import EngineError
from training.capture.sound import cached_features
from training.motion import denoised, start_from
from training.paper_dataset import TrackedSequence, flame_expressions, read_landmarks, read_sequences, split
from training.paper_preview import Preview
from training.run.loop import Recipe, Run, step_seed
from training.run.many import mine, one_of_many, rank
from training.run.options import SPEECH_ENCODER_HELP, add_run_options, exit_status, run_of
from training.run.scalars import scalar_writer

# Section 4 and supplement B of the paper.
BATCH, CROP = 32, 48
AMPLITUDE = (0.5, 3.0)
VALIDATION_SHARE = 0.1
VALIDATION_SEED = 1
# The paper keeps one learning rate and does not clip.
RECIPE = Recipe(warm_up_steps=0, final_rate=1.0, largest_gradient=float("inf"), save_every=500)
DEFAULTS = SamplingDefaults(steps=8, sampler="dpm++", guidance=1.0)


# A sequence to its features (N, A).
Condition = Callable[[TrackedSequence], Tensor]


class Crops:
    """Crops of some sequences with what the decoder is conditioned on, such as frozen speech features.

    features: per sequence (N, A) half precision; codes: (N, D) float32.
    """

    def __init__(self, condition: Condition, sequences: list[TrackedSequence]) -> None:
        self.features = [condition(sequence).half().cpu() for sequence in sequences]
        self.codes = [torch.from_numpy(sequence.codes) for sequence in sequences]
        # Resampling to 16 kHz may round the last frame away.
        lengths = [min(map(len, pair)) for pair in zip(self.codes, self.features, strict=True)]
        self.features = [features[:length] for features, length in zip(self.features, lengths, strict=True)]
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


def train(
    run: Run,
    training: Crops,
    validation: Crops,
    device: torch.device,
    start: Path | None = None,
    preview: Preview | None = None,
) -> None:
    """Train until the run's budget is used and export the average that validates best.

    start: a bundle from whose decoder a new run begins. preview: writes meshes as the training goes on.

    Raises EngineError when the decoder to start from is of other dimensions.
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
        features, codes = (mine(tensor).to(device) for tensor in training.batch(run.seed, step))
        codes = codes / config.code_scale
        generator = torch.Generator().manual_seed(step_seed(run.seed, step) + 7919 * rank())
        value = functional.mse_loss(denoised(decoder, schedule, features, codes, generator), codes)
        return value, {"loss": value}

    def at_checkpoint(average: ExpressionDecoder) -> dict[str, float]:
        found = validation_loss(average, validation)
        if found < run.figures.get("best_validation", float("inf")):
            run.figures["best_validation"] = found
            merge_section(run.folder / "export", "motion", asdict(config) | DEFAULTS.section(), average.state_dict())
        if preview:
            preview.write(average, run.step / steps_of_epoch(training))
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


def steps_of_epoch(training: Crops) -> int:
    """Steps after which as many frames were seen as the sequences have."""
    return max(round(sum(map(len, training.codes)) / (BATCH * CROP)), 1)


def prepare(options: argparse.Namespace, run: Run, device: torch.device) -> tuple[Crops, Crops]:
    """Crops for training and for validation; the run's export gets what the condition needs, its config the two lists.

    Raises EngineError for a dataset or an encoder that cannot be used, before anything is written.
    """
    codes_of = flame_expressions if options.target == "flame" else None
    parts = split(read_sequences(options.data, CROP, options.key, codes_of), options.validation, run.seed)
    condition = (landmark_condition if options.condition == "landmarks" else speech_condition)(
        options, parts[0], device
    )
    names = {"training": [s.name for s in parts[0]], "validation": [s.name for s in parts[1]]}
    kinds = {"condition": options.condition, "target": options.target}
    run.write_config({"batch": BATCH, "crop": CROP, "amplitude": AMPLITUDE} | kinds | names)
    return Crops(condition, parts[0]), Crops(condition, parts[1])


def speech_condition(options: argparse.Namespace, _: list[TrackedSequence], device: torch.device) -> Condition:
    """Features of the frozen speech encoder, which the export gets."""
    if options.speech_encoder is None and options.speech_of is None:
        raise EngineError("Name a --speech-encoder or a bundle with --speech-of, or train with --condition landmarks.")
    if options.speech_of is not None:
        bundle = Bundle.open(options.speech_of)
        encoder = load_speech_encoder(bundle, device)
        if not rank():  # the first process writes the export
            merge_section(options.output / "export", "speech", bundle.section("speech"), bundle.tensors("speech"))
    elif rank():
        encoder = import_speech_encoder(options.speech_encoder).to(device)
    else:
        encoder = load_speech_encoder(
            import_wav2vec2(options.speech_encoder, options.output / "export", add=True), device
        )
    return lambda sequence: cached_features(sequence.audio, encoder)


def landmark_condition(options: argparse.Namespace, training: list[TrackedSequence], _: torch.device) -> Condition:
    """Features of captured landmarks; the export gets those that all others are brought to."""
    # All others are brought to the first clip that shows most of eyes and nose.
    clips = [read_landmarks(sequence.folder) for sequence in training]
    condition = LandmarkCondition.from_clip(max(clips, key=lambda clip: len(steady(clip)) if clip.ndim == 3 else 0))
    if not rank():
        (options.output / "export").mkdir(parents=True, exist_ok=True)
        update_config(options.output / "export", lambda config: config.update({SECTION: condition.section()}))
    return lambda sequence: condition.features(read_landmarks(sequence.folder))


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns 0, or 2 after printing one line that says what to put right."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m training.paper", description=__doc__, formatter_class=plain)
    parser.add_argument("--data", type=Path, required=True, help="dataset folder")
    speech = parser.add_mutually_exclusive_group()
    speech.add_argument("--speech-encoder", type=Path, help=SPEECH_ENCODER_HELP)
    speech.add_argument("--speech-of", metavar="BUNDLE", help="bundle whose speech encoder is taken, such as starter")
    parser.add_argument("--condition", choices=("speech", "landmarks"), default="speech", help="(default: speech)")
    parser.add_argument("--target", choices=("codes", "flame"), default="codes", help="what is made (default: codes)")
    add_run_options(parser, learning_rate=1e-4, steps=50_000)
    parser.add_argument("--validation", type=float, default=VALIDATION_SHARE, help="share of the sequences kept out")
    parser.add_argument("--key", help="name of the code's array in a frame's file (default: the only one)")
    parser.add_argument("--meshes-with", type=Path, metavar="BUNDLE", help="head of the meshes that are exported")
    parser.add_argument(
        "--meshes-every", type=int, default=10, help="epochs between two exports (default: %(default)s)"
    )
    parser.add_argument("--resolution", type=int, default=64, help="of these meshes (default: %(default)s)")
    options = parser.parse_args(arguments)

    def command() -> None:
        with one_of_many(choose_device(options.device)) as device:
            run = run_of(options)
            crops = prepare(options, run, device)
            run.scalars = scalar_writer(run.folder)
            train(run, *crops, device, options.start, _preview(options, crops[1]))

    return exit_status(command)


def _preview(options: argparse.Namespace, validation: Crops) -> Preview | None:
    if options.meshes_with is None:
        return None
    engine = Engine.load(options.meshes_with, options.device)
    wanted, made = engine.head.expression_dimensions, validation.codes[0].shape[1]
    if wanted != made:
        raise EngineError(
            f"The head of {options.meshes_with} takes codes of {wanted} numbers, not {made}; name another."
        )
    folder = options.output / "meshes"
    return Preview(engine, folder, validation.features[0].float(), options.meshes_every, options.resolution)


if __name__ == "__main__":
    sys.exit(main())
