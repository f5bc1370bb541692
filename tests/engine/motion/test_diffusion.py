"""Schedule and samplers against closed forms.

Where codes are Gaussian the best prediction of x0 is known, and so is the path that the probability-flow ODE takes:
every sampler is compared with that, not with another sampler of ours.
"""

import math
import weakref
from itertools import pairwise

import numpy as np
import pytest
import torch

from engine.motion import denoiser as denoiser_module
from engine.motion import diffusion
from engine.motion.denoiser import DenoiserConfig, ExpressionDecoder
from engine.motion.diffusion import (
    Cancelled,
    CosineSchedule,
    ddim,
    ddpm,
    dpm_solver,
    dpm_solver_to_clean,
    even_timesteps,
    guided,
    log_spaced_timesteps,
    sample,
)
from engine.shared.errors import EngineError

SCHEDULE = CosineSchedule()
MEAN = torch.tensor([0.7, -0.3, 0.0], dtype=torch.float64)
DEVIATION = torch.tensor([0.5, 1.0, 0.1], dtype=torch.float64)


def gaussian_prediction(schedule=SCHEDULE, mean=MEAN, deviation=DEVIATION):
    """E[x0 | x_t] for x0 ~ N(mean, deviation^2)."""

    def predict(x, t):
        abar = schedule.alphas_bar[t]
        gain = abar.sqrt() * deviation**2 / (abar * deviation**2 + 1 - abar)
        return mean + gain * (x - abar.sqrt() * mean)

    return predict


def ode_solution(x, start, end, schedule=SCHEDULE):
    """The probability-flow ODE of the Gaussian in closed form: the standardised value of x_t never changes."""

    def moments(t):
        abar = schedule.alphas_bar[t] if t is not None else torch.tensor(1.0, dtype=torch.float64)
        return abar.sqrt() * MEAN, (abar * DEVIATION**2 + 1 - abar).sqrt()

    (start_mean, start_deviation), (end_mean, end_deviation) = moments(start), moments(end)
    return end_mean + end_deviation * (x - start_mean) / start_deviation


def _noise(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_schedule_has_the_published_values():
    expected = {0: 0.999958716, 249: 0.847012, 499: 0.493844, 749: 0.144272, 999: 2.43e-9}
    for t, value in expected.items():
        assert SCHEDULE.alphas_bar[t].item() == pytest.approx(value, rel=2e-3 if t == 999 else 2e-6)
    assert len(SCHEDULE.alphas_bar) == 1000
    assert (SCHEDULE.alphas_bar.diff() < 0).all()


def test_noising_has_the_mean_and_variance_of_equation_3():
    generator = torch.Generator().manual_seed(0)
    clean = torch.full((3, 4, 20000), 2.0)
    timesteps = torch.tensor([0, 499, 999])
    noisy = SCHEDULE.add_noise(clean, torch.randn(clean.shape, generator=generator), timesteps)
    for sequence, t in zip(noisy, timesteps, strict=True):
        abar = SCHEDULE.alphas_bar[t].item()
        assert sequence.mean().item() == pytest.approx(2 * math.sqrt(abar), abs=0.02)
        assert sequence.var().item() == pytest.approx(1 - abar, abs=0.02)
    assert noisy.dtype == torch.float32


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 6, 8, 16, 50, 400, 1000])
def test_time_grids_start_in_pure_noise_and_fall(steps):
    for grid in (even_timesteps(SCHEDULE, steps), log_spaced_timesteps(SCHEDULE, steps)):
        assert grid[0] == 999
        assert all(a > b >= 0 for a, b in pairwise(grid))
    assert len(even_timesteps(SCHEDULE, steps)) == steps
    assert len(log_spaced_timesteps(SCHEDULE, steps)) == steps or steps > 100


def test_ddpm_over_all_steps_is_the_textbook_loop():
    """Improved-DDPM's buffers, written out from its own betas in NumPy."""
    places = np.arange(1001) / 1000
    curve = np.cos((places + 0.008) / 1.008 * np.pi / 2) ** 2
    betas = np.minimum(1 - curve[1:] / curve[:-1], 0.999)
    abar = np.cumprod(1 - betas)
    before = np.append(1.0, abar[:-1])
    predict = gaussian_prediction()
    start, noise = _noise(1)[0].numpy(), _noise(1000, seed=1).numpy()
    x = start
    for step, t in enumerate(range(999, -1, -1)):
        x0 = predict(torch.from_numpy(x), t).numpy()
        mean = betas[t] * np.sqrt(before[t]) / (1 - abar[t]) * x0
        mean += (1 - before[t]) * np.sqrt(1 - betas[t]) / (1 - abar[t]) * x
        x = mean + (t > 0) * np.sqrt(betas[t] * (1 - before[t]) / (1 - abar[t])) * noise[step]
    draws = iter(torch.from_numpy(noise))
    result = ddpm(predict, torch.from_numpy(start), SCHEDULE, 1000, lambda: next(draws))
    np.testing.assert_allclose(result, x, atol=1e-10)


def _check_distribution(samples: torch.Tensor, tolerance: float) -> None:
    torch.testing.assert_close(samples.mean(dim=0), MEAN, atol=tolerance, rtol=0)
    torch.testing.assert_close(samples.std(dim=0), DEVIATION, atol=tolerance, rtol=0)


def test_every_sampler_reaches_the_distribution():
    start = _noise(4000)
    generator = torch.Generator().manual_seed(5)
    predict = gaussian_prediction()

    def noise():
        return torch.randn(start.shape, generator=generator, dtype=torch.float64)

    _check_distribution(ddpm(predict, start, SCHEDULE, 1000, noise), 0.06)
    _check_distribution(ddim(predict, start, SCHEDULE, 1000), 0.06)
    _check_distribution(dpm_solver_to_clean(predict, start, SCHEDULE, 40), 0.06)


def test_ddim_over_all_steps_follows_the_ode():
    start = _noise(50)
    torch.testing.assert_close(
        ddim(gaussian_prediction(), start, SCHEDULE, 1000), ode_solution(start, 999, None), atol=0.02, rtol=0
    )


def _solver_error(intervals: int) -> float:
    """Error of DPM-Solver++ against the closed-form ODE, over a range of lambda cut into equal intervals."""
    fine = CosineSchedule(steps=200_000)
    lambdas = fine.log_signal_to_noise
    targets = torch.linspace(-3.0, 2.0, intervals + 1, dtype=torch.float64)
    grid = [int((lambdas - target).abs().argmin()) for target in targets]
    x = _noise(50)
    result = dpm_solver(gaussian_prediction(fine), x, fine, grid)
    return (result - ode_solution(x, grid[0], grid[-1], fine)).abs().max().item()


def test_dpm_solver_converges_in_second_order():
    errors = [_solver_error(intervals) for intervals in (20, 40, 80)]
    orders = [math.log2(coarse / fine) for coarse, fine in pairwise(errors)]
    assert all(1.7 < order < 2.5 for order in orders), orders


@pytest.mark.parametrize("steps", [4, 6, 8, 16])
def test_dpm_solver_beats_ddim_at_few_steps(steps):
    start, predict = _noise(200), gaussian_prediction()
    exact = ode_solution(start, 999, None)
    fast = (dpm_solver_to_clean(predict, start, SCHEDULE, steps) - exact)[:, :2].square().mean()
    plain = (ddim(predict, start, SCHEDULE, steps) - exact)[:, :2].square().mean()
    assert fast < plain


@pytest.mark.parametrize("sampler", diffusion.SAMPLERS)
def test_a_known_answer_is_returned(sampler):
    """A prediction that does not depend on the noise is the sample, whatever the sampler."""
    answer, start = torch.tensor([0.2, -1.0, 3.0], dtype=torch.float64), _noise(4)
    run = {
        "ddpm": lambda: ddpm(lambda x, t: answer.expand_as(x), start, SCHEDULE, 20, lambda: _noise(4, seed=2)),
        "ddim": lambda: ddim(lambda x, t: answer.expand_as(x), start, SCHEDULE, 20),
        "dpm++": lambda: dpm_solver_to_clean(lambda x, t: answer.expand_as(x), start, SCHEDULE, 20),
    }
    torch.testing.assert_close(run[sampler](), answer.expand(4, 3))


@pytest.fixture(scope="module")
def denoiser() -> ExpressionDecoder:
    torch.manual_seed(0)
    config = DenoiserConfig(
        layers=2, width=32, heads=4, feed_forward=48, window=8, code_dimensions=10, audio_dimensions=12, code_scale=0.5
    )
    network = ExpressionDecoder(config).eval()
    torch.nn.init.normal_(network.null_condition)
    return network


AUDIO = torch.randn(30, 12, generator=torch.Generator().manual_seed(9))


@pytest.mark.parametrize("guidance", [0.0, 0.5, 1.0, 2.5])
def test_guidance_is_equation_10(denoiser, guidance):
    x = torch.randn(1, 30, 10, generator=torch.Generator().manual_seed(3))
    t = torch.tensor([400])
    with torch.inference_mode():
        conditional, unconditional = denoiser(x, t, AUDIO[None]), denoiser(x, t, None)
        expected = guidance * conditional + (1 - guidance) * unconditional
        torch.testing.assert_close(guided(denoiser, AUDIO[None], guidance)(x, 400), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("guidance", "sequences"), [(1.0, 1), (0.0, 1), (2.0, 2)])
def test_guidance_costs_what_it_must(denoiser, guidance, sequences, monkeypatch):
    batches = []
    original = denoiser.denoise
    monkeypatch.setattr(denoiser, "denoise", lambda x, t, audio, _: batches.append(len(x)) or original(x, t, audio))
    sample(denoiser, AUDIO, seed=0, steps=5, guidance=guidance)
    assert batches == [sequences] * 5


@pytest.mark.parametrize("sampler", diffusion.SAMPLERS)
def test_a_seed_is_a_take_bit_for_bit(denoiser, sampler):
    first, second, other = (sample(denoiser, AUDIO, seed=seed, steps=6, sampler=sampler) for seed in (1, 1, 2))
    assert first.shape == (30, 10)
    assert first.dtype == torch.float32
    assert torch.equal(first, second)
    assert not torch.allclose(first, other)


@pytest.mark.parametrize("sampler", diffusion.SAMPLERS)
def test_later_audio_leaves_earlier_codes(denoiser, sampler):
    audio = AUDIO.clone()
    audio[20:] += 5.0
    before = sample(denoiser, AUDIO, seed=1, steps=6, sampler=sampler)
    after = sample(denoiser, audio, seed=1, steps=6, sampler=sampler)
    torch.testing.assert_close(before[:20], after[:20])
    assert not torch.allclose(before[20:], after[20:])


def test_codes_come_in_the_units_of_the_bundle(denoiser, monkeypatch):
    monkeypatch.setattr(denoiser, "denoise", lambda x, t, audio, _: torch.ones_like(x))
    torch.testing.assert_close(sample(denoiser, AUDIO, seed=0), torch.full((30, 10), 0.5))


@pytest.mark.parametrize("sampler", diffusion.SAMPLERS)
def test_progress_rises_to_one(denoiser, sampler):
    fractions = []
    sample(denoiser, AUDIO, seed=0, steps=7, sampler=sampler, progress=fractions.append)
    assert fractions == pytest.approx([(i + 1) / 7 for i in range(7)])


@pytest.fixture
def in_pieces(monkeypatch):
    """Clips over eight frames go through the network in pieces of eight: 30 frames are four."""
    monkeypatch.setattr(denoiser_module, "WHOLE_FRAMES", 8)
    monkeypatch.setattr(denoiser_module, "PIECE_FRAMES", 8)


@pytest.mark.parametrize("sampler", diffusion.SAMPLERS)
def test_a_long_clip_tells_its_progress_within_the_steps(denoiser, in_pieces, sampler):
    fractions = []
    told = sample(denoiser, AUDIO, seed=0, steps=7, sampler=sampler, guidance=1.5, progress=fractions.append)
    assert fractions == pytest.approx([(i + share) / 7 for i in range(7) for share in (8 / 30, 16 / 30, 24 / 30, 1)])
    assert torch.equal(told, sample(denoiser, AUDIO, seed=0, steps=7, sampler=sampler, guidance=1.5))


def test_a_long_clip_is_cancelled_within_a_step(denoiser, in_pieces):
    fractions = []
    with pytest.raises(Cancelled):
        sample(denoiser, AUDIO, seed=0, steps=7, progress=fractions.append, cancelled=lambda: len(fractions) == 6)
    assert len(fractions) == 6  # two of four pieces of the second step


def test_passes_of_a_long_clip_are_held_once(denoiser, monkeypatch):
    """What each pass prepares is let go when it is joined with the others'."""
    held, prepare = [], denoiser.prepare

    def noted(*condition):
        blocks = prepare(*condition)
        held.extend(weakref.ref(block) for block in blocks)
        return blocks

    monkeypatch.setattr(denoiser, "prepare", noted)
    with torch.inference_mode():
        predict = guided(denoiser, AUDIO[None], 1.5)
        assert len(held) == 4  # two passes, two blocks
        assert not any(block() is not None for block in held)
        assert predict(torch.zeros(1, 30, 10), 400).shape == (1, 30, 10)


def test_cancelling_stops_before_the_next_step(denoiser):
    fractions = []
    with pytest.raises(Cancelled):
        sample(denoiser, AUDIO, seed=0, steps=7, progress=fractions.append, cancelled=lambda: len(fractions) == 3)
    assert len(fractions) == 3


@pytest.mark.parametrize("settings", [{"steps": 0}, {"steps": 1001}, {"sampler": "euler"}, {"guidance": math.nan}])
def test_settings_out_of_range_are_refused(denoiser, settings):
    with pytest.raises(EngineError):
        sample(denoiser, AUDIO, seed=0, **settings)


@pytest.mark.parametrize("seed", [0, -1, 1 << 62, 1 << 70])
def test_any_whole_number_is_a_seed(denoiser, seed):
    assert torch.isfinite(sample(denoiser, AUDIO, seed=seed, steps=2)).all()
