"""Train the starter's speech encoder: wav2vec 2.0 at small size, supervised per code frame.

    python -m engine.training.speech --data DATA --output RUN --minutes 30

Seven hours of free speech are too little for self-supervised pre-training; phones and the articulation prior's
expected course are the teachers instead. The features must carry when lips close, before the sound does.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..bundle import Bundle, merge_section
from ..engine import choose_device
from ..speech import SpeechConfig, SpeechEncoder, load_speech_encoder
from .corpus import load_corpus
from .phones import BILABIALS, LABIODENTALS, PHONES, SILENCE
from .speech_examples import PHONE_OFFSETS, TARGETS, Batch, ExampleMaker, label_clip, training_pools
from .training_run import AveragedWeights, TrainingRun, start_run, training_parser

# At 24 code frames a second every frame falls between two convolutional ones, 20 ms apart. The last two kernels
# are wider than the base model's: a convolutional frame hears 70 ms, and no short closure is lost between code frames.
SMALL = SpeechConfig(
    conv_dim=(32, 64, 64, 128, 128, 128, 128),
    conv_kernel=(10, 3, 3, 3, 3, 5, 5),
    hidden_size=256,
    num_hidden_layers=5,
    num_attention_heads=4,
    intermediate_size=768,
    num_conv_pos_embeddings=32,
    num_conv_pos_embedding_groups=8,
    hidden_dropout=0.05,
    attention_dropout=0.0,
)
# Many small steps teach more in a short budget than few large ones.
BATCH_SECONDS = 32.0
PEAK_LEARNING_RATE = 1.2e-3
WARM_UP_STEPS = 300
SAVE_EVERY = 200
# A lip closure that is missed is seen at once, so the phones that close the lips weigh more.
CLOSING_WEIGHTS = dict.fromkeys(BILABIALS, 4.0) | dict.fromkeys(LABIODENTALS, 2.0) | {SILENCE: 0.7}
PHONE_WEIGHTS = torch.tensor([CLOSING_WEIGHTS.get(phone, 1.0) for phone in PHONES])


class SupervisedEncoder(nn.Module):
    """The speech encoder with linear read-outs of phones and articulation, used in training only."""

    def __init__(self, config: SpeechConfig) -> None:
        super().__init__()
        self.encoder = SpeechEncoder(config)
        self.phones = nn.Linear(config.hidden_size, len(PHONE_OFFSETS) * len(PHONES))
        self.articulation = nn.Linear(config.hidden_size, TARGETS)

    def forward(self, waveforms: Tensor, frames: int) -> tuple[Tensor, Tensor]:
        """Waveforms (B, S) to phone scores (B, N, 3, classes) and standardised articulation (B, N, TARGETS)."""
        features = self.encoder(waveforms, frames)  # (B, N, H)
        scores = self.phones(features).unflatten(-1, (len(PHONE_OFFSETS), len(PHONES)))
        return scores, self.articulation(features)


@torch.no_grad()
def take_over(encoder: SpeechEncoder, trained: SpeechEncoder) -> None:
    """Load the parameters of a trained encoder; convolutions that are wider than its own start with zeros around."""
    state = trained.state_dict()
    for name, fresh in encoder.state_dict().items():
        added = fresh.shape[-1] - state[name].shape[-1] if ".conv.weight" in name else 0
        if added:
            state[name] = functional.pad(state[name], (added // 2, added - added // 2))
    encoder.load_state_dict(state)


def losses(network: SupervisedEncoder, batch: Batch) -> dict[str, Tensor]:
    """Cross-entropy of the phones, error of the articulation, shares of right phones and of right bilabials."""
    device = next(network.parameters()).device
    phones, articulation = batch.phones.to(device), batch.articulation.to(device)
    with torch.autocast(device.type, torch.bfloat16):
        scores, predicted = network(batch.waveforms.to(device), phones.shape[1])
    scores, predicted = scores.float(), predicted.float()
    right = scores[:, :, 1].argmax(-1) == phones[:, :, 1]  # (B, N)
    bilabial = PHONE_WEIGHTS.to(device)[phones[:, :, 1]] == PHONE_WEIGHTS.max()
    return {
        "phones": functional.cross_entropy(scores.flatten(0, 2), phones.flatten(), PHONE_WEIGHTS.to(device)),
        "articulation": functional.smooth_l1_loss(predicted, articulation, beta=0.5),
        "accuracy": right.float().mean(),
        "bilabial_recall": right[bilabial].float().mean(),
    }


def train(
    data: Path, run: TrainingRun, seed: int, device: torch.device, cache: Path, synthesised: int,
    peak_learning_rate: float, start: Path | None,
) -> None:  # fmt: skip
    """Train until the budget is used; resumes from the run's checkpoint and exports at every checkpoint.

    start: a bundle from whose encoder a new run begins.
    """
    torch.manual_seed(seed)
    corpus = load_corpus(data, cache, synthesised)
    maker = ExampleMaker(corpus, training_pools(corpus), seed)
    held_out = {"so762": [label_clip(corpus, clip) for clip in corpus.select("so762", held_out=True)]}
    validation = [ExampleMaker(corpus, held_out, seed + 1).batch(index, BATCH_SECONDS) for index in range(3)]
    network = SupervisedEncoder(SMALL).to(device)
    optimiser = torch.optim.AdamW(network.parameters(), peak_learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    if start:
        take_over(network.encoder, load_speech_encoder(Bundle.open(start), device))
    average = AveragedWeights(network)
    if states := run.resume():
        network.load_state_dict(states["network"])
        optimiser.load_state_dict(states["optimiser"])
        average.load(states["average"])
    while run.progress < 1.0:
        rate = run.learning_rate(peak_learning_rate, WARM_UP_STEPS)
        for group in optimiser.param_groups:
            group["lr"] = rate
        parts = losses(network.train(), maker.batch(run.step, BATCH_SECONDS))
        (parts["phones"] + 2 * parts["articulation"]).backward()
        nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        run.step += 1
        average.update(network, run.step)
        if run.step % 20 == 0:
            run.log(**{name: part.item() for name, part in parts.items()}, rate=rate)
        if run.step % SAVE_EVERY == 0 or run.progress >= 1.0:
            run.save(network=network.state_dict(), optimiser=optimiser.state_dict(), average=average.state)
            run.log(**validate(average.state, validation, device))
            export(average.state, run.folder / "export")


@torch.no_grad()
def validate(state: dict[str, Tensor], batches: list[Batch], device: torch.device) -> dict[str, float]:
    """Mean losses of averaged weights on held-out speakers."""
    network = SupervisedEncoder(SMALL).to(device).eval()
    network.load_state_dict(state)
    parts = [losses(network, batch) for batch in batches]
    return {f"held_out_{name}": sum(part[name].item() for part in parts) / len(parts) for name in parts[0]}


def export(state: dict[str, Tensor], folder: Path) -> None:
    """Write the encoder without its read-outs as the bundle section "speech"."""
    tensors = {
        name.removeprefix("encoder."): tensor for name, tensor in state.items() if name.startswith("encoder.")
    }
    merge_section(folder, "speech", json.loads(json.dumps(asdict(SMALL))), tensors)


def main() -> None:
    """Command line."""
    arguments = training_parser("Train the starter's speech encoder.", 30.0, PEAK_LEARNING_RATE).parse_args()
    run = start_run(arguments, {"batch_seconds": BATCH_SECONDS})
    cache = arguments.cache or arguments.output / "cache"
    device = choose_device(arguments.device)
    train(
        arguments.data, run, arguments.seed, device, cache, arguments.synthesised,
        arguments.learning_rate, arguments.start,
    )  # fmt: skip


if __name__ == "__main__":
    main()
