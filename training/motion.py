"""Train the starter's expression decoder: FaceTalk's diffusion objective on performances of the articulation prior.

    python -m training.motion --data DATA --output RUN --bundle BUNDLE --minutes 64

The speech encoder of `--bundle` is frozen; its features are computed once per scene. Every epoch draws a new
performance for every scene, so that one recording has many faces.

    python -m training.motion --captures FOLDER --output RUN

continues a bundle's decoder on one person's captures (`training.own_captures`) and writes the bundle RUN/bundle.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from engine.bundle import Bundle, merge_section
from engine.devices import choose_device
from engine.importing.wav2vec2 import import_speech_encoder
from engine.motion.codes import expression_basis
from engine.motion.denoiser import DenoiserConfig, ExpressionDecoder, load_expression_decoder
from engine.motion.diffusion import CosineSchedule
from engine.motion.sampling_defaults import PREFIX, SamplingDefaults
from engine.motion.speech import load_speech_encoder
from engine.shared.arkit import ARKIT_NAMES
from engine.shared.controls import CONTROL_NAMES
from engine.shared.errors import EngineError
from engine.shared.lip_opening import REST_OPENING_MM, opening_slopes
from training.data.corpus import load_corpus
from training.motion_examples import (
    AMPLITUDE,
    BATCH,
    CROP,
    POSE_SCALE,
    CropMaker,
    make_scenes,
    scene_features,
    scene_prosody,
)
from training.own_captures import captures_of, likeness, own_scenes
from training.run.learner import load_weights
from training.run.loop import Recipe, Run, step_seed
from training.run.options import SPEECH_ENCODER_HELP, add_run_options, add_speech_options, exit_status, run_of

# The paper's decoder is causal. Frames that share one noise level cannot agree when the earlier one does not see the
# later: blinks of one frame and a trembling mouth were the result, so the starter looks both ways.
SMALL = DenoiserConfig(
    layers=4, width=256, heads=8, feed_forward=512, audio_dimensions=256, causal=False, film_rank=64
)  # fmt: skip
DROP_CONDITION, DROP_CONTROLS = 0.25, 0.1
# Movements are many times larger than the noise, so that the noisy codes themselves tell the emotion but at the very
# last time steps. There alone the controls have to be heeded, and there every take begins.
NOISE_SHARE, NOISE_BEGIN = 0.3, 0.96
# A closure needs jaw and lips that fit each other within a millimetre, of which the codes' squared error knows nothing.
# The absolute error of the opening asks for closed lips wherever they are more likely closed than open.
OPENING_WEIGHT = 0.01  # per millimetre
# Nods and brows that meet accents are a small part of all movement, and people see little else above the mouth.
POSE_WEIGHT, BROW_WEIGHT = 1.0, 0.1
# Most of the error of a pose is of slow postures that nobody can know; that of its speed is of nods that are heard.
POSE_SPEED_WEIGHT = 6.0
# The paper trains 50,000 steps at 1e-4; the short budget needs a larger rate with warm-up and cosine decay.
PEAK_LEARNING_RATE = 8e-4
OWN_LEARNING_RATE, OWN_MINUTES = 2e-4, 12.0  # of a person's captures, which shall not make it forget the rest
RECIPE = Recipe(warm_up_steps=200, final_rate=0.02, average_decay=0.998, save_every=100)
DEFAULTS = SamplingDefaults(
    steps=8, sampler="dpm++", guidance=1.5, mouth_temperature=0.8, lid_temperature=0.9, smooth=0.037, seal=0.015,
    lids=1.0, gaze_still=0.21, pose_smooth=0.1,
)  # fmt: skip


def denoised(
    decoder: ExpressionDecoder,
    schedule: CosineSchedule,
    features: Tensor,
    codes: Tensor,
    generator: torch.Generator,
    controls: Tensor | None = None,
) -> Tensor:
    """What the decoder makes of noised codes (B, N, D) at random time steps: (B, N, D).

    A quarter has no voice. With controls (B, N, C), a tenth of all has none of them, and more time steps are all but
    pure noise.
    """
    batch, device = len(codes), codes.device
    timesteps = torch.randint(schedule.steps, (batch,), generator=generator)
    if controls is not None and controls.shape[-1]:
        late = torch.rand(batch, generator=generator) < NOISE_SHARE
        first = round(NOISE_BEGIN * schedule.steps)
        timesteps = torch.where(late, first + timesteps * (schedule.steps - first) // schedule.steps, timesteps)
    timesteps = timesteps.to(device)
    noise = torch.randn(codes.shape, generator=generator).to(device)
    dropped = (torch.rand(batch, generator=generator) < DROP_CONDITION).to(device)
    noisy = schedule.add_noise(codes, noise, timesteps)
    asked = {}
    if controls is not None and controls.shape[-1]:
        unasked = (torch.rand(batch, generator=generator) < DROP_CONTROLS).to(device)
        asked = {"controls": controls, "dropped_controls": unasked}
    with torch.autocast(device.type, torch.bfloat16):
        predicted = decoder(noisy, timesteps, features, dropped, **asked)
    return predicted.float()


def diffusion_loss(
    decoder: ExpressionDecoder,
    schedule: CosineSchedule,
    batch_of_crops: tuple[Tensor, Tensor, Tensor, Tensor],
    generator: torch.Generator,
) -> Tensor:
    """Weighted squared error of the predicted clean codes at random time steps (Eq. 9), some without condition.

    To it comes the absolute error of the lip opening that the codes mean, and the error of raised brows and the head.
    """
    features, codes, emphasis, controls = batch_of_crops
    predicted = denoised(decoder, schedule, features, codes, generator, controls)
    width = decoder.config.code_dimensions
    square = (predicted - codes).square()
    error = square[..., :width].mean(dim=-1)  # (B, N)
    scale = decoder.config.code_scale
    found, wanted = (opening_of_codes(scale * x[..., :width]) for x in (predicted, codes))
    value = ((error + OPENING_WEIGHT * (found - wanted).abs()) * emphasis).mean()
    if square.shape[-1] > width:
        brows = (predicted - codes)[..., :width] @ _brow_directions().to(codes)
        value = value + POSE_WEIGHT * square[..., width:].mean() + BROW_WEIGHT * brows.square().mean()
        speed = (predicted - codes)[..., width:].diff(dim=1)
        value = value + POSE_SPEED_WEIGHT * speed.square().mean()
    return value


def opening_of_codes(codes: Tensor) -> Tensor:
    """Linear estimate of the lip opening in mm, (...) of codes (..., D); 0 when the lips touch."""
    return (REST_OPENING_MM + codes @ _opening_direction().to(codes)).clamp(min=0)


@cache
def _opening_direction() -> Tensor:
    return torch.from_numpy(expression_basis() @ opening_slopes())  # (D,)


@cache
def _brow_directions() -> Tensor:
    raised = [index for index, name in enumerate(ARKIT_NAMES) if name.startswith("brow") and "Up" in name]
    return torch.from_numpy(expression_basis()[:, raised])  # (D, 3)


def train(
    run: Run,
    crops: CropMaker,
    device: torch.device,
    sizes: DenoiserConfig | None = None,
    schedule: CosineSchedule | None = None,
    start: Path | None = None,
) -> None:
    """Train until the run's budget is used and export at every checkpoint.

    sizes, schedule: the network, by default SMALL, and the noise; scale and audio dimensions follow the crops.
    start: a bundle from whose decoder a new run begins.
    """
    torch.manual_seed(run.seed)
    trained = load_expression_decoder(Bundle.open(start), device) if start else None
    if trained is not None:
        crops.code_scale = trained.config.code_scale  # codes mean what they meant to it
    config = replace(sizes or SMALL, code_scale=crops.code_scale, audio_dimensions=crops.features.shape[-1])
    if crops.prosody is not None:
        config = replace(
            config, pose_scale=POSE_SCALE, prosody_dimensions=crops.prosody.shape[-1], controls=CONTROL_NAMES
        )
    decoder = ExpressionDecoder(config).to(device)
    if trained is not None:
        start_from(decoder, trained)
    schedule = schedule or CosineSchedule()
    optimiser = torch.optim.Adam(decoder.parameters(), betas=(0.9, 0.99))

    def loss(step: int) -> tuple[Tensor, dict[str, Tensor]]:
        features, codes, emphasis, controls = (tensor.to(device) for tensor in crops.batch(step))
        generator = torch.Generator().manual_seed(step_seed(run.seed, step))
        value = diffusion_loss(decoder, schedule, (features, codes, emphasis, controls), generator)
        return value, {"loss": value}

    def at_checkpoint(average: ExpressionDecoder) -> None:
        merge_section(run.folder / "export", "motion", asdict(config) | DEFAULTS.section(), average.state_dict())

    run.train(decoder, [optimiser], loss, RECIPE, at_checkpoint)


@torch.no_grad()
def start_from(decoder: ExpressionDecoder, trained: ExpressionDecoder) -> None:
    """Start with the weights of a trained decoder, whose whole FiLM maps may become products of a small rank.

    The product is the best one for the embedded time steps, which are all that FiLM is given. What the trained one does
    not have, such as a head pose, prosody or controls, begins at zero: the function goes on as it was.
    """
    state, rank = trained.state_dict(), decoder.config.film_rank
    if rank is not None and trained.config.film_rank is None:
        times = functional.mish(trained.time(torch.arange(CosineSchedule().steps, device=trained.output.weight.device)))
        for name in [name for name in state if name.endswith("to_scale_and_shift.1.weight")]:
            weight, stem = state.pop(name), name.removesuffix("1.weight")  # (2 W, W)
            outputs = torch.linalg.svd(weight @ times.T, full_matrices=False).U[:, :rank]  # (2 W, R)
            state |= {stem + "1.weight": outputs.T @ weight, stem + "2.weight": outputs}
            state[stem + "2.bias"] = state.pop(stem + "1.bias")
    for name, weight in decoder.state_dict().items():
        known = state.get(name)
        if _begins_at_zero(name, decoder.config, trained.config):
            grown = torch.zeros_like(weight)
            if known is not None:
                grown[tuple(slice(size) for size in known.shape)] = known
            state[name] = grown
    load_weights(decoder, state)


def _begins_at_zero(name: str, config: DenoiserConfig, trained: DenoiserConfig) -> bool:
    """Whether a weight is of a pose, prosody or controls that the trained decoder did not have."""
    if name.startswith(("code_projection.weight", "output.")):
        return bool(config.pose_scale) and not trained.pose_scale
    if name.startswith("control_projection"):
        return len(config.controls) > len(trained.controls)
    if name.startswith("null_controls"):
        return not trained.controls
    return name.startswith("prosody_projection") and not trained.prosody_dimensions


def learn_own(options: argparse.Namespace) -> None:
    """Continue a bundle's decoder on one person's captures; tell what that has changed on what was kept out of them."""
    if options.minutes is None and options.steps is None:
        options.minutes = OWN_MINUTES
    if options.learning_rate == PEAK_LEARNING_RATE:
        options.learning_rate = OWN_LEARNING_RATE
    run, device = run_of(options), choose_device(options.device)
    bundle = Bundle.open(options.start or options.bundle)
    encoder = load_speech_encoder(bundle, device)
    captures = captures_of(options.captures)
    scenes = own_scenes(captures, options.seed)
    crops = CropMaker(scenes, scene_features(encoder, scenes), options.seed, prosody=scene_prosody(scenes))
    run.write_config({"captures": [capture.name for capture in captures]})
    before = likeness(load_expression_decoder(bundle, device), encoder, captures)
    train(run, crops, device, sizes=load_expression_decoder(bundle).config, start=bundle.folder)
    trained = Bundle.open(run.folder / "export")
    after = likeness(load_expression_decoder(trained, device), encoder, captures)
    for name, value in before.items():
        print(f"{name}, correlation with what was kept out: {value:.2f} before, {after[name]:.2f} after")
    whole = run.folder / "bundle"
    shutil.copytree(bundle.folder, whole, dirs_exist_ok=True)
    defaults = {key: value for key, value in bundle.section("motion").items() if key.startswith(PREFIX)}
    merge_section(whole, "motion", trained.section("motion") | defaults, trained.tensors("motion"))
    print(f"{whole}: add it as a model bundle")


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns 0, or 2 after printing one line that says what to put right."""
    parser = argparse.ArgumentParser("python -m training.motion", description="Train the starter's expression decoder.")
    add_speech_options(parser, required=False)
    own = f"continue on one person's captures instead (default: {OWN_MINUTES:g} min at {OWN_LEARNING_RATE:g})"
    parser.add_argument("--captures", type=Path, help=own)
    encoders = parser.add_mutually_exclusive_group()
    encoders.add_argument("--bundle", default="starter", help="bundle folder with the trained speech encoder")
    encoders.add_argument("--speech-encoder", type=Path, help=SPEECH_ENCODER_HELP)
    clips = "train on this many clips with phone labels, drawn at random (default: all)"
    parser.add_argument("--clips", type=int, help=clips)
    add_run_options(parser, learning_rate=PEAK_LEARNING_RATE, minutes=35.0)
    options = parser.parse_args(arguments)

    def command() -> None:
        if options.captures is not None:
            learn_own(options)
            return
        if options.data is None:
            raise EngineError("Give the data folder with --data, or a person's captures with --captures.")
        run, device = run_of(options), choose_device(options.device)
        if options.speech_encoder is None:
            encoder = load_speech_encoder(Bundle.open(options.bundle), device)
        else:
            encoder = import_speech_encoder(options.speech_encoder).to(device)
        cache = options.cache or options.output / "cache"
        corpus = load_corpus(options.data, cache, options.synthesised)
        scenes = make_scenes(options.data, corpus, options.seed, options.clips, cache)
        crops = CropMaker(scenes, scene_features(encoder, scenes), options.seed, prosody=scene_prosody(scenes))
        constants = {"amplitude": AMPLITUDE, "drop_condition": DROP_CONDITION, "batch": BATCH, "crop": CROP}
        run.write_config({"synthesised": options.synthesised, "clips": options.clips} | constants)
        train(run, crops, device, start=options.start)

    return exit_status(command)


if __name__ == "__main__":
    sys.exit(main())
