"""Train the starter's expression decoder: FaceTalk's diffusion objective on performances of the articulation prior.

    python -m training.motion --data DATA --output RUN --bundle BUNDLE --minutes 35

The speech encoder of `--bundle` is frozen; its features are computed once per scene. Every epoch draws a new
performance for every scene, so that one recording has many faces.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.bundle import Bundle, merge_section
from engine.engine import choose_device
from engine.importing.wav2vec2 import import_speech_encoder
from engine.motion.codes import CODE_DIMENSIONS, codes_from_weights, expression_basis
from engine.motion.denoiser import DenoiserConfig, ExpressionDecoder, load_expression_decoder
from engine.motion.diffusion import CosineSchedule
from engine.motion.speech import SpeechEncoder, load_speech_encoder, normalise
from engine.shared.arkit import ARKIT_NAMES
from engine.shared.lip_opening import REST_OPENING_MM, opening_slopes
from training.data.corpus import Corpus, load_corpus
from training.prior.captured_motion import capture_of
from training.prior.scenes import SCENE_FRAMES, SILENT_SHARE, Scene, SceneMaker
from training.run import AveragedWeights, TrainingRun, start_run, training_parser
from training.speech_examples import SHARES

# The paper's decoder is causal. Frames that share one noise level cannot agree when the earlier one does not see the
# later: blinks of one frame and a trembling mouth were the result, so the starter looks both ways.
SMALL = DenoiserConfig(
    layers=4, width=256, heads=8, feed_forward=512, audio_dimensions=256, causal=False, film_rank=64
)  # fmt: skip
BATCH, CROP = 32, 48
CROPS_PER_SCENE = SCENE_FRAMES // CROP
DROP_CONDITION = 0.25
# The paper scales codes by U(0.5, 3) without telling the network. On weights that mean something (1 = lid closed) that
# gives half-closed blinks and jaws beyond the anatomy, so the range is narrow and the prior's styles give diversity.
AMPLITUDE = (0.9, 1.15)
# Rare events that everybody sees count more than their share of the frames: lips that close on a bilabial, a lower lip
# under the teeth, and blinks. With a plain mean the short training left four of ten bilabials closed and half of the
# blinks.
CLOSURE_WEIGHT, TUCK_WEIGHT, BLINK_WEIGHT = 6.0, 3.0, 3.0
FULL_PRESS = 0.2  # mouthPress of a bilabial; resting lips have a quarter of it
FULL_ROLL = 0.4  # mouthRollLower of a labiodental; a bilabial has less than a third of it
# A closure needs jaw and lips that fit each other within a millimetre, of which the codes' squared error knows nothing.
# The absolute error of the opening asks for closed lips wherever they are more likely closed than open.
OPENING_WEIGHT = 0.01  # per millimetre
# The paper trains 50,000 steps at 1e-4; the short budget needs a larger rate with warm-up and cosine decay.
PEAK_LEARNING_RATE = 8e-4
WARM_UP_STEPS = 200
SAVE_EVERY = 100
SPEECH_ENCODER_HELP = "public wav2vec 2.0: a Hugging Face folder, or FaceFormer's checkpoint"
DEFAULTS = {
    "default_steps": 8, "default_sampler": "dpm++", "default_guidance": 1.5, "default_mouth_temperature": 0.3,
    "default_lid_temperature": 0.85,
    "default_smooth": 0.06, "default_seal": 0.015,
}  # fmt: skip


def make_scenes(data: Path, corpus: Corpus, seed: int, clips: int | None = None) -> list[Scene]:
    """Scenes of the training: recorded, synthesised and captured speech, and silence.

    clips: number of clips with phone labels, drawn at random; all when not given.
    """
    maker = SceneMaker(corpus, seed)
    labelled = [clip for name in SHARES for clip in corpus.select(name, held_out=False)]
    if clips is not None:
        labelled = [labelled[i] for i in np.random.default_rng((seed, 6)).permutation(len(labelled))[:clips]]
    scenes = maker.spoken(labelled)
    for clip in corpus.select("facegood"):
        scenes += maker.captured(clip, capture_of(data, clip))
    return scenes + maker.silent(round(SILENT_SHARE * len(scenes)))


@torch.no_grad()
def scene_features(encoder: SpeechEncoder, scenes: list[Scene]) -> Tensor:
    """Frozen speech features of every scene: (scenes, SCENE_FRAMES, A) half precision."""
    device = next(encoder.parameters()).device
    features = []
    for first in range(0, len(scenes), BATCH):
        audio = torch.from_numpy(np.stack([scene.audio for scene in scenes[first : first + BATCH]])).to(device)
        with torch.autocast(device.type, torch.bfloat16):
            features.append(encoder(normalise(audio), SCENE_FRAMES).half().cpu())
    return torch.cat(features)


class CropMaker:
    """Batches of feature and code crops; epoch and order follow from the seed and the step alone.

    augmented: whether codes are scaled and every epoch draws new performances; else a scene has one performance.
    """

    def __init__(self, scenes: list[Scene], features: Tensor, seed: int, augmented: bool = True) -> None:
        self.scenes, self.features, self.seed, self.augmented = scenes, features, seed, augmented
        self.basis = expression_basis()
        self.epoch = -1
        self.crops_per_epoch = len(scenes) * CROPS_PER_SCENE
        self.batches_per_epoch = max(1, self.crops_per_epoch // BATCH)
        sample = np.stack([scene.performance(seed) for scene in scenes[:: max(1, len(scenes) // 150)]])
        # Q has orthonormal columns, so codes have the length of their weights.
        self.code_scale = float(np.sqrt(np.square(sample).sum(axis=-1).mean() / CODE_DIMENSIONS))

    def batch(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Features (BATCH, CROP, A), normalised scaled codes (BATCH, CROP, D), weights of the frames (BATCH, CROP)."""
        epoch, place = divmod(step, self.batches_per_epoch)
        if epoch != self.epoch:
            self._start_epoch(epoch)
        generator = np.random.default_rng((self.seed, step, 1))
        features, codes, emphasis = [], [], []
        for crop in self.order[place * BATCH : (place + 1) * BATCH]:
            scene = crop // CROPS_PER_SCENE
            start = int(generator.integers(SCENE_FRAMES - CROP + 1))
            window = slice(start, start + CROP)
            features.append(self.features[scene, window].float())
            weights = self.performances[scene, window].astype(np.float32)
            emphasis.append(torch.from_numpy(frame_weights(weights)))
            if self.augmented:
                weights = weights * np.float32(generator.uniform(*AMPLITUDE))
            codes.append(torch.from_numpy(codes_from_weights(weights, self.basis) / np.float32(self.code_scale)))
        return torch.stack(features), torch.stack(codes), torch.stack(emphasis)

    def _start_epoch(self, epoch: int) -> None:
        self.epoch = epoch
        self.order = np.random.default_rng((self.seed, epoch)).permutation(self.crops_per_epoch)
        first_seed = (self.seed * 1000 + (epoch if self.augmented else 0)) * 100_000
        self.performances = np.stack(
            [scene.performance(first_seed + index).astype(np.float16) for index, scene in enumerate(self.scenes)]
        )


def frame_weights(weights: np.ndarray) -> np.ndarray:
    """How much each frame of a performance (N, 52) counts in the loss: (N,) float32, 1 for an ordinary frame."""

    def activation(name: str, rest: float, full: float) -> np.ndarray:
        return np.clip((weights[:, ARKIT_NAMES.index(name)] - rest) / (full - rest), 0, 1)

    result = 1 + (CLOSURE_WEIGHT - 1) * activation("mouthPressLeft", 0.25 * FULL_PRESS, FULL_PRESS)
    result *= 1 + (TUCK_WEIGHT - 1) * activation("mouthRollLower", 0.4 * FULL_ROLL, FULL_ROLL)
    return (result * (1 + (BLINK_WEIGHT - 1) * weights[:, ARKIT_NAMES.index("eyeBlinkLeft")])).astype(np.float32)


def denoised(
    decoder: ExpressionDecoder, schedule: CosineSchedule, features: Tensor, codes: Tensor, generator: torch.Generator
) -> Tensor:
    """What the decoder makes of noised codes (B, N, D) at random time steps, a quarter without condition: (B, N, D)."""
    batch, device = len(codes), codes.device
    timesteps = torch.randint(schedule.steps, (batch,), generator=generator).to(device)
    noise = torch.randn(codes.shape, generator=generator).to(device)
    dropped = (torch.rand(batch, generator=generator) < DROP_CONDITION).to(device)
    noisy = schedule.add_noise(codes, noise, timesteps)
    with torch.autocast(device.type, torch.bfloat16):
        predicted = decoder(noisy, timesteps, features, dropped)
    return predicted.float()


def diffusion_loss(
    decoder: ExpressionDecoder,
    schedule: CosineSchedule,
    batch_of_crops: tuple[Tensor, Tensor, Tensor],
    generator: torch.Generator,
) -> Tensor:
    """Weighted squared error of the predicted clean codes at random time steps (Eq. 9), a quarter without condition.

    To it comes the absolute error of the lip opening that the codes mean.
    """
    features, codes, emphasis = batch_of_crops
    predicted = denoised(decoder, schedule, features, codes, generator)
    error = (predicted - codes).square().mean(dim=-1)  # (B, N)
    scale = decoder.config.code_scale
    opening_error = (opening_of_codes(scale * predicted) - opening_of_codes(scale * codes)).abs()  # (B, N)
    return ((error + OPENING_WEIGHT * opening_error) * emphasis).mean()


def opening_of_codes(codes: Tensor) -> Tensor:
    """Linear estimate of the lip opening in mm, (...) of codes (..., D); 0 when the lips touch."""
    return (REST_OPENING_MM + codes @ _opening_direction().to(codes)).clamp(min=0)


@cache
def _opening_direction() -> Tensor:
    return torch.from_numpy(expression_basis() @ opening_slopes())  # (D,)


def train(
    run: TrainingRun,
    crops: CropMaker,
    seed: int,
    device: torch.device,
    sizes: DenoiserConfig | None = None,
    schedule: CosineSchedule | None = None,
    peak_learning_rate: float = PEAK_LEARNING_RATE,
    start: Path | None = None,
) -> None:
    """Train until the budget is used; resumes from the run's checkpoint and exports at every checkpoint.

    sizes, schedule: the network, by default SMALL, and the noise; scale and audio dimensions follow the crops.
    start: a bundle from whose decoder a new run begins (`take_over`).
    """
    torch.manual_seed(seed)
    config = replace(sizes or SMALL, code_scale=crops.code_scale, audio_dimensions=crops.features.shape[-1])
    decoder = ExpressionDecoder(config).to(device)
    if start:
        take_over(decoder, load_expression_decoder(Bundle.open(start), device))
    schedule = schedule or CosineSchedule()
    optimiser = torch.optim.Adam(decoder.parameters(), peak_learning_rate, betas=(0.9, 0.99))
    average = AveragedWeights(decoder, decay=0.998)
    if states := run.resume():
        decoder.load_state_dict(states["decoder"])
        optimiser.load_state_dict(states["optimiser"])
        average.load(states["average"])
    decoder.train()
    mean_loss = None
    while run.progress < 1.0:
        rate = run.learning_rate(peak_learning_rate, WARM_UP_STEPS)
        for group in optimiser.param_groups:
            group["lr"] = rate
        batch = tuple(tensor.to(device) for tensor in crops.batch(run.step))
        # Dropout draws from the global generator: a run that was stopped goes on as if it had not been.
        torch.manual_seed(seed * 1_000_003 + run.step)
        generator = torch.Generator().manual_seed(seed * 1_000_003 + run.step)
        loss = diffusion_loss(decoder, schedule, batch, generator)
        loss.backward()
        nn.utils.clip_grad_norm_(decoder.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        run.step += 1
        average.update(decoder, run.step)
        mean_loss = loss.item() if mean_loss is None else 0.98 * mean_loss + 0.02 * loss.item()
        if run.step % 20 == 0:
            run.log(loss=mean_loss, rate=rate)
        if run.step % SAVE_EVERY == 0 or run.progress >= 1.0:
            run.save(decoder=decoder.state_dict(), optimiser=optimiser.state_dict(), average=average.state)
            export(config, average.state, run.folder / "export")


@torch.no_grad()
def take_over(decoder: ExpressionDecoder, trained: ExpressionDecoder) -> None:
    """Load the parameters of a trained decoder, whose whole FiLM maps may become products of a small rank.

    The product is the best one for the embedded time steps, which are all that FiLM hears.
    """
    state, rank = trained.state_dict(), decoder.config.film_rank
    if rank is not None and trained.config.film_rank is None:
        times = functional.mish(trained.time(torch.arange(CosineSchedule().steps, device=trained.output.weight.device)))
        for name in [name for name in state if name.endswith("to_scale_and_shift.1.weight")]:
            weight, stem = state.pop(name), name.removesuffix("1.weight")  # (2 W, W)
            outputs = torch.linalg.svd(weight @ times.T, full_matrices=False).U[:, :rank]  # (2 W, R)
            state |= {stem + "1.weight": outputs.T @ weight, stem + "2.weight": outputs}
            state[stem + "2.bias"] = state.pop(stem + "1.bias")
    decoder.load_state_dict(state)


def export(config: DenoiserConfig, state: dict[str, Tensor], folder: Path) -> None:
    """Write the averaged decoder as the bundle section "motion"."""
    merge_section(folder, "motion", asdict(config) | DEFAULTS, state)


def main() -> None:
    """Command line."""
    parser = training_parser("Train the starter's expression decoder.", 35.0, PEAK_LEARNING_RATE)
    encoders = parser.add_mutually_exclusive_group()
    encoders.add_argument("--bundle", default="starter", help="bundle folder with the trained speech encoder")
    encoders.add_argument("--speech-encoder", type=Path, help=SPEECH_ENCODER_HELP)
    arguments = parser.parse_args()
    constants = {"amplitude": AMPLITUDE, "drop_condition": DROP_CONDITION, "batch": BATCH, "crop": CROP}
    run = start_run(arguments, constants)
    device = choose_device(arguments.device)
    if arguments.speech_encoder is None:
        encoder = load_speech_encoder(Bundle.open(arguments.bundle), device)
    else:
        encoder = import_speech_encoder(arguments.speech_encoder).to(device)
    cache = arguments.cache or arguments.output / "cache"
    corpus = load_corpus(arguments.data, cache, arguments.synthesised)
    scenes = make_scenes(arguments.data, corpus, arguments.seed)
    crops = CropMaker(scenes, scene_features(encoder, scenes), arguments.seed)
    rate, start = arguments.learning_rate, arguments.start
    train(run, crops, arguments.seed, device, peak_learning_rate=rate, start=start)


if __name__ == "__main__":
    main()
