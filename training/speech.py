"""Train the starter's speech encoder: wav2vec 2.0 at small size, supervised per code frame.

    python -m training.speech --data DATA --output RUN --minutes 30

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

from engine.bundle import Bundle, merge_section
from engine.engine import choose_device
from engine.motion.speech import SpeechConfig, SpeechEncoder, load_speech_encoder
from engine.shared.errors import EngineError
from training.data.corpus import load_corpus
from training.phones import BILABIALS, LABIODENTALS, PHONES, SILENCE
from training.run import AveragedWeights, TrainingRun, start_run, training_parser
from training.speech_examples import PHONE_OFFSETS, TARGETS, Batch, ExampleMaker, label_clip, training_pools

# At 24 code frames a second every frame falls between two convolutional ones, 20 ms apart. The last two kernels
# are wider than the base model's: a convolutional frame hears 90 ms, and no short closure is lost between code
# frames. Their channels are many, because the sounds must be told apart before the rate falls.
SMALL = SpeechConfig(
    conv_dim=(32, 64, 64, 128, 128, 256, 384),
    conv_kernel=(10, 3, 3, 3, 3, 5, 7),
    hidden_size=256,
    num_hidden_layers=5,
    num_attention_heads=4,
    intermediate_size=768,
    num_conv_pos_embeddings=32,
    num_conv_pos_embedding_groups=8,
    hidden_dropout=0.05,
    attention_dropout=0.0,
    # Half the receptive field of 1,440 samples, and after the end a code frame less: frame i hears i / 24 s.
    waveform_padding=(720, 53),
)
# Many small steps teach more in a short budget than few large ones.
BATCH_SECONDS = 32.0
PEAK_LEARNING_RATE = 1.2e-3
WARM_UP_STEPS = 300
SAVE_EVERY = 200
# Code frames that the transformer must guess from their neighbours: share, and length of a span.
HIDDEN_SHARE, HIDDEN_SPAN = 0.08, 3
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
        heard = self.encoder.hear(waveforms, frames)  # (B, N, C)
        features = self.encoder.encode(hide_spans(heard) if self.training else heard)  # (B, N, H)
        scores = self.phones(features).unflatten(-1, (len(PHONE_OFFSETS), len(PHONES)))
        return scores, self.articulation(features)


def hide_spans(heard: Tensor) -> Tensor:
    """Convolutional features (B, N, C) with zeros in random spans of HIDDEN_SPAN frames, HIDDEN_SHARE of all."""
    starts = torch.rand(heard.shape[:2], device=heard.device) < HIDDEN_SHARE / HIDDEN_SPAN  # (B, N)
    hidden = functional.max_pool1d(functional.pad(starts.float(), (HIDDEN_SPAN - 1, 0)), HIDDEN_SPAN, stride=1)
    return heard * (1 - hidden[..., None])


@torch.no_grad()
def take_over(encoder: SpeechEncoder, trained: SpeechEncoder) -> None:
    """Load the parameters of a trained encoder into one of the same or larger sizes, which then computes the same.

    Longer kernels start with zeros around the trained ones. Added channels are copies of the trained ones, between
    which the next layer's weights are divided at random, so that they part in training (Net2Net, Chen et al. 2016).
    Raises EngineError when a size is no multiple of the trained one.
    """
    state = trained.state_dict()
    for name, fresh in encoder.state_dict().items():
        state[name] = _widened(name, state[name], fresh.shape)
    encoder.load_state_dict(state)


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
        if nn.utils.clip_grad_norm_(network.parameters(), 2.0).isfinite():
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
    tensors = {name.removeprefix("encoder."): tensor for name, tensor in state.items() if name.startswith("encoder.")}
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
