"""Train the starter's speech encoder: wav2vec 2.0 at small size, supervised per code frame.

    python -m training.speech --data DATA --output RUN --minutes 70

Thirteen hours of free speech are too little for self-supervised pre-training; phones and the articulation prior's
expected course are the teachers instead and, with --taught, Whisper's features (`training.teacher`). The features must
carry when lips close, before the sound does.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.bundle import Bundle, merge_section
from engine.devices import choose_device
from engine.motion.speech import SpeechConfig, SpeechEncoder, load_speech_encoder
from engine.shared.errors import EngineError
from training.data.corpus import Corpus, load_corpus
from training.phones import BILABIALS, LABIODENTALS, PHONES, SILENCE
from training.run.learner import load_weights
from training.run.loop import Recipe, Run
from training.run.options import add_run_options, add_speech_options, exit_status, run_of
from training.speech_examples import PHONE_OFFSETS, TARGETS, Batch, ExampleMaker, label_clip, training_pools
from training.teacher import DIMENSIONS, Teacher

# At 24 code frames a second every frame falls between two convolutional ones, 20 ms apart. The last two kernels
# are wider than the base model's: a convolutional frame covers 90 ms, and no short closure is lost between code
# frames. Their channels are many, because the sounds must be distinguished before the rate falls.
SMALL = SpeechConfig(
    conv_dim=(32, 64, 64, 128, 128, 256, 384),
    conv_kernel=(10, 3, 3, 3, 3, 5, 7),
    hidden_size=256,
    num_hidden_layers=5,
    num_attention_heads=4,
    intermediate_size=1536,
    num_conv_pos_embeddings=32,
    num_conv_pos_embedding_groups=8,
    hidden_dropout=0.05,
    attention_dropout=0.0,
    # Half the receptive field of 1,440 samples, and after the end a code frame less: the middle of frame i is i / 24 s.
    waveform_padding=(720, 53),
)
# Many small steps teach more in a short budget than few large ones.
BATCH_SECONDS = 32.0
RECIPE = Recipe(warm_up_steps=300, final_rate=0.02, largest_gradient=2.0, save_every=200)
# Code frames that the transformer must guess from their neighbours: share, and length of a span.
HIDDEN_SHARE, HIDDEN_SPAN = 0.08, 3
# A lip closure that is missed is seen at once, so the phones that close the lips weigh more.
CLOSING_WEIGHTS = dict.fromkeys(BILABIALS, 4.0) | dict.fromkeys(LABIODENTALS, 2.0) | {SILENCE: 0.7}
TAUGHT_WEIGHT = 1.0
PHONE_WEIGHTS = torch.tensor([CLOSING_WEIGHTS.get(phone, 1.0) for phone in PHONES])


class SupervisedEncoder(nn.Module):
    """The speech encoder with linear read-outs of phones and articulation, used in training only."""

    def __init__(self, config: SpeechConfig) -> None:
        super().__init__()
        self.encoder = SpeechEncoder(config)
        self.phones = nn.Linear(config.hidden_size, len(PHONE_OFFSETS) * len(PHONES))
        self.articulation = nn.Linear(config.hidden_size, TARGETS)
        self.taught = nn.Sequential(
            nn.Linear(config.hidden_size, 2 * DIMENSIONS), nn.GELU(), nn.Linear(2 * DIMENSIONS, DIMENSIONS)
        )

    def forward(self, waveforms: Tensor, frames: int) -> tuple[Tensor, Tensor, Tensor]:
        """Waveforms (B, S) to phone scores (B, N, 3, classes), articulation (B, N, TARGETS), taught (B, N, DIMENSIONS).

        Articulation is standardised; what is taught is the guess at the teacher's features.
        """
        convolved = self.encoder.convolve(waveforms, frames)  # (B, N, C)
        features = self.encoder.encode(hide_spans(convolved) if self.training else convolved)  # (B, N, H)
        scores = self.phones(features).unflatten(-1, (len(PHONE_OFFSETS), len(PHONES)))
        return scores, self.articulation(features), self.taught(features)


def hide_spans(convolved: Tensor) -> Tensor:
    """Convolutional features (B, N, C) with zeros in random spans of HIDDEN_SPAN frames, HIDDEN_SHARE of all."""
    starts = torch.rand(convolved.shape[:2], device=convolved.device) < HIDDEN_SHARE / HIDDEN_SPAN  # (B, N)
    hidden = functional.max_pool1d(functional.pad(starts.float(), (HIDDEN_SPAN - 1, 0)), HIDDEN_SPAN, stride=1)
    return convolved * (1 - hidden[..., None])


@torch.no_grad()
def start_from(encoder: SpeechEncoder, trained: SpeechEncoder) -> None:
    """Start with the weights of a trained encoder of the same or smaller sizes and compute the same.

    Longer kernels start with zeros around the trained ones. Added channels are copies of the trained ones, between
    which the next layer's weights are divided at random, so that they part in training (Net2Net, Chen et al. 2016).
    Raises EngineError when a size is not a multiple of the trained one.
    """
    state = trained.state_dict()
    for name, fresh in encoder.state_dict().items():
        if name in state:
            state[name] = _widened(name, state[name], fresh.shape)
    load_weights(encoder, state)


def _widened(name: str, weight: Tensor, shape: torch.Size) -> Tensor:
    """A trained parameter in a larger shape: (outputs, inputs, kernel), or fewer dimensions."""
    if weight.dim() == 3:
        added = shape[2] - weight.shape[2]
        weight = functional.pad(weight, (added // 2, added - added // 2))
    copies = [large // small for large, small in zip(shape, weight.shape, strict=True)]
    if any(count * small != large for count, small, large in zip(copies, weight.shape, shape, strict=True)):
        raise EngineError(f"{name} of the trained encoder does not fit; start from another bundle.")
    weight = weight.repeat(copies)
    if weight.dim() > 1 and copies[1] > 1:
        shares = torch.rand(weight.shape[0], copies[1], weight.shape[1] // copies[1]) + 0.5
        shares = (shares / shares.sum(dim=1, keepdim=True)).flatten(1)  # (outputs, inputs)
        weight = weight * shares.reshape(*shares.shape, *[1] * (weight.dim() - 2))
    return weight


def losses(network: SupervisedEncoder, batch: Batch) -> dict[str, Tensor]:
    """Cross-entropy of the phones, errors of articulation and teacher's features, shares of right phones and bilabials.

    The teacher's is NaN when it heard nothing of the batch.
    """
    device = next(network.parameters()).device
    phones, articulation, taught = (part.to(device) for part in (batch.phones, batch.articulation, batch.taught))
    with torch.autocast(device.type, torch.bfloat16):
        scores, predicted, guessed = network(batch.waveforms.to(device), phones.shape[1])
    scores, predicted, heard = scores.float(), predicted.float(), ~taught[..., 0].isnan()
    right = scores[:, :, 1].argmax(-1) == phones[:, :, 1]  # (B, N)
    bilabial = PHONE_WEIGHTS.to(device)[phones[:, :, 1]] == PHONE_WEIGHTS.max()
    return {
        "phones": functional.cross_entropy(scores.flatten(0, 2), phones.flatten(), PHONE_WEIGHTS.to(device)),
        "articulation": functional.smooth_l1_loss(predicted, articulation, beta=0.5),
        "taught": (guessed.float()[heard] - taught[heard]).square().mean(),
        "accuracy": right.float().mean(),
        "bilabial_recall": right[bilabial].float().mean(),
    }


def train(
    run: Run, corpus: Corpus, device: torch.device, start: Path | None = None, teacher: Teacher | None = None
) -> None:
    """Train until the run's budget is used and export at every checkpoint.

    start: a bundle from whose encoder a new run begins.
    """
    torch.manual_seed(run.seed)
    maker = ExampleMaker(corpus, training_pools(corpus, teacher), run.seed)
    held_out = {"so762": [label_clip(corpus, clip, teacher) for clip in corpus.select("so762", held_out=True)]}
    validation = [ExampleMaker(corpus, held_out, run.seed + 1).batch(index, BATCH_SECONDS) for index in range(3)]
    network = SupervisedEncoder(SMALL).to(device)
    if start:
        start_from(network.encoder, load_speech_encoder(Bundle.open(start), device))
    optimiser = torch.optim.AdamW(network.parameters(), betas=(0.9, 0.98), weight_decay=0.01)

    def loss(step: int) -> tuple[Tensor, dict[str, Tensor]]:
        parts = losses(network, maker.batch(step, BATCH_SECONDS))
        taught = TAUGHT_WEIGHT * parts["taught"].nan_to_num()
        return parts["phones"] + 2 * parts["articulation"] + taught, parts

    def at_checkpoint(average: SupervisedEncoder) -> dict[str, float]:
        export(average.encoder, run.folder / "export")
        return validate(average, validation)

    run.train(network, [optimiser], loss, RECIPE, at_checkpoint)


@torch.no_grad()
def validate(network: SupervisedEncoder, batches: list[Batch]) -> dict[str, float]:
    """Mean losses on held-out speakers."""
    network.eval()
    parts = [losses(network, batch) for batch in batches]
    means = {f"held_out_{name}": sum(part[name].item() for part in parts) / len(parts) for name in parts[0]}
    return {name: value for name, value in means.items() if not math.isnan(value)}


def export(encoder: SpeechEncoder, folder: Path) -> None:
    """Write the encoder as the bundle section "speech"."""
    merge_section(folder, "speech", json.loads(json.dumps(asdict(SMALL))), encoder.state_dict())


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns 0, or 2 after printing one line that says what to put right."""
    parser = argparse.ArgumentParser("python -m training.speech", description="Train the starter's speech encoder.")
    add_speech_options(parser)
    add_run_options(parser, learning_rate=1.2e-3, minutes=30.0)
    parser.add_argument("--taught", action="store_true", help="learn from the features that training.teacher wrote")
    options = parser.parse_args(arguments)

    def command() -> None:
        run, device = run_of(options), choose_device(options.device)
        cache = options.cache or options.output / "cache"
        corpus = load_corpus(options.data, cache, options.synthesised)
        run.write_config({"synthesised": options.synthesised, "batch_seconds": BATCH_SECONDS, "taught": options.taught})
        train(run, corpus, device, options.start, Teacher(cache) if options.taught else None)

    return exit_status(command)


if __name__ == "__main__":
    sys.exit(main())
