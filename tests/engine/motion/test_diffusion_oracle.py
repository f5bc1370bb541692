"""Schedule and samplers against those of diffusers, an independent implementation, with an analytic model of codes.

diffusers gets our falling time steps, which are ours to choose (even, or even in lambda), and our abar_t, because it
keeps its own in float32, where the last betas have lost four digits.
"""

import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

from engine.motion.diffusion import (
    CosineSchedule,
    ddim,
    ddpm,
    dpm_solver,
    dpm_solver_to_clean,
    even_timesteps,
    log_spaced_timesteps,
)

SCHEDULE = CosineSchedule()
COSINE = {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "sample"}
GENERATOR = torch.Generator().manual_seed(0)
START, MIXING, SHIFT = (torch.randn(*size, generator=GENERATOR, dtype=torch.float64) for size in ((4, 6), (6, 6), (6,)))
# Tolerances as a share of the largest value.
FLOAT64 = 1e-8  # diffusers never lets a variance be 0: its last step of DDPM adds noise of 1e-10
FLOAT32 = 5e-6  # diffusers' DPM-Solver keeps sigmas and samples in float32, and its schedule betas


def linear(x, t):
    """x0 that is linear in x_t and in t, and mixes the dimensions."""
    return 0.3 * x @ MIXING + (1 - t / 1000) * SHIFT


def curved(x, t):
    """x0 that bends with both: what a step of first order in place of one of second does is seen."""
    return torch.tanh(x @ MIXING - t / 500) + SHIFT * torch.sin(torch.tensor(t / 100.0, dtype=torch.float64))


def assert_same(actual, expected, relative):
    torch.testing.assert_close(actual, expected.to(actual), atol=relative * float(expected.abs().max()), rtol=0)


def scheduler_of(kind, timesteps, **options):
    """diffusers' scheduler with our abar_t, at our time steps."""
    scheduler = kind(**COSINE, **options)
    scheduler.alphas_cumprod = SCHEDULE.alphas_bar
    if timesteps is not None:
        scheduler.set_timesteps(timesteps=timesteps)
    return scheduler


def states_of(scheduler, predict, **options):
    """x_t after every step from START."""
    states, x = [], START
    for t in scheduler.timesteps.tolist():
        x = scheduler.step(predict(x, t), t, x, **options).prev_sample
        states.append(x)
    return states


def test_the_schedule_is_that_of_improved_ddpm():
    reference = DDPMScheduler(**COSINE)
    betas = 1 - SCHEDULE.alphas_bar / torch.cat([torch.ones(1), SCHEDULE.alphas_bar[:-1]])
    torch.testing.assert_close(betas.float(), reference.betas, atol=1e-7, rtol=1e-6)
    clean, noise, timesteps = START.float(), START.flip(0).float(), torch.tensor([0, 300, 700, 999])
    expected = reference.add_noise(clean, noise, timesteps)
    assert_same(SCHEDULE.add_noise(clean, noise, timesteps), expected, FLOAT32)  # with diffusers' own abar_t


@pytest.mark.parametrize("predict", [linear, curved])
@pytest.mark.parametrize("steps", [1, 2, 3, 4, 6, 8, 14, 15, 20, 50])
def test_dpm_solver_is_that_of_diffusers(predict, steps):
    timesteps = log_spaced_timesteps(SCHEDULE, steps)
    reference = states_of(scheduler_of(DPMSolverMultistepScheduler, timesteps), predict)
    assert_same(dpm_solver_to_clean(predict, START, SCHEDULE, steps), reference[-1], FLOAT32)
    if steps > 1:
        assert_same(dpm_solver(predict, START, SCHEDULE, timesteps), reference[-2], FLOAT32)


@pytest.mark.parametrize("predict", [linear, curved])
@pytest.mark.parametrize("steps", [1, 2, 4, 10, 50, 200, 1000])
def test_ddim_is_that_of_diffusers(predict, steps):
    """At numbers of steps that divide T: elsewhere diffusers steps by the whole part of T / steps, we by T / steps."""
    scheduler = scheduler_of(DDIMScheduler, None, timestep_spacing="trailing", clip_sample=False)
    scheduler.set_timesteps(steps)
    assert scheduler.timesteps.tolist() == even_timesteps(SCHEDULE, steps)
    assert_same(ddim(predict, START, SCHEDULE, steps), states_of(scheduler, predict)[-1], FLOAT64)


@pytest.mark.parametrize("predict", [linear, curved])
@pytest.mark.parametrize("steps", [1, 2, 7, 30, 333, 1000])
def test_ddpm_is_that_of_diffusers_with_the_same_noise(predict, steps):
    scheduler = scheduler_of(DDPMScheduler, even_timesteps(SCHEDULE, steps), clip_sample=False)
    reference = states_of(scheduler, predict, generator=torch.Generator().manual_seed(5))[-1]
    generator = torch.Generator().manual_seed(5)

    def draw_noise():
        return torch.randn(START.shape, generator=generator, dtype=START.dtype)

    assert_same(ddpm(predict, START, SCHEDULE, steps, draw_noise), reference, FLOAT64)
