"""Diffusion over expression codes: the cosine schedule, three samplers and classifier-free guidance.

Notation: x_t noisy codes, x0 clean codes, abar_t the schedule's cumulative product, alpha_t = sqrt(abar_t) and
sigma_t = sqrt(1 - abar_t), lambda_t = log(alpha_t / sigma_t). Equation numbers without a source are FaceTalk's
(arXiv 2312.08459). A network that predicts x0 is called as predict(x_t, t). Time steps count from 0 to T - 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import torch
from torch import Tensor

from ..shared.errors import Cancelled, EngineError
from ..shared.options import GUIDANCE, SAMPLER, SAMPLERS, STEPS
from .denoiser import ExpressionDecoder
from .temperature import Temperature

Predict = Callable[[Tensor, int], Tensor]


@dataclass(frozen=True)
class CosineSchedule:
    """The cosine noise schedule (Improved DDPM, arXiv 2102.09672, Eq. 17) that section 3 of the paper names.

    steps: T. offset: s of the cosine. largest_beta: where beta is clipped near t = T.
    """

    steps: int = 1000
    offset: float = 0.008
    largest_beta: float = 0.999

    @cached_property
    def alphas_bar(self) -> Tensor:
        """abar_t for t = 0 ... T - 1, (T,) float64, falling from almost 1 to almost 0."""
        places = torch.arange(self.steps + 1, dtype=torch.float64) / self.steps
        curve = torch.cos((places + self.offset) / (1 + self.offset) * math.pi / 2).square()
        betas = (1 - curve[1:] / curve[:-1]).clamp(max=self.largest_beta)
        return torch.cumprod(1 - betas, dim=0)

    @cached_property
    def log_signal_to_noise(self) -> Tensor:
        """lambda_t = log(alpha_t / sigma_t), half the logarithm of the signal-to-noise ratio; (T,) float64."""
        return 0.5 * (self.alphas_bar.log() - (1 - self.alphas_bar).log())

    def add_noise(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Draw x_t of q(x_t | x0), Eq. 3, from clean codes and unit noise (B, ...) at time steps (B,)."""
        shape = (-1,) + (1,) * (clean.dim() - 1)
        abar = self.alphas_bar.to(clean.device)[timesteps].reshape(shape)  # (B, 1, ...)
        return abar.sqrt().to(clean.dtype) * clean + (1 - abar).sqrt().to(clean.dtype) * noise


def even_timesteps(schedule: CosineSchedule, steps: int) -> list[int]:
    """`steps` falling time steps from T - 1, evenly spaced; all of them for steps = T."""
    return [round(schedule.steps * (1 - k / steps)) - 1 for k in range(steps)]


# Where few steps matter: below the first value codes are all noise, above the second they are all but clean.
NOISY_END, CLEAN_END = -4.0, 3.5


def log_spaced_timesteps(schedule: CosineSchedule, steps: int) -> list[int]:
    """At most `steps` falling time steps from T - 1, evenly spaced in lambda.

    With fewer than six steps the last lies in more noise: steps are better spent where the motion is decided, and the
    final prediction of x0 bridges the rest.
    """
    last = min(CLEAN_END, steps - 2.0)
    targets = torch.linspace(NOISY_END, last, steps, dtype=torch.float64)[1:]
    nearest = (schedule.log_signal_to_noise[None] - targets[:, None]).abs().argmin(dim=1).tolist()
    return [schedule.steps - 1, *(t for t in sorted(set(nearest), reverse=True) if t < schedule.steps - 1)]


def ddpm(predict: Predict, x: Tensor, schedule: CosineSchedule, steps: int, draw_noise: Callable[[], Tensor]) -> Tensor:
    """Ancestral sampling with the small posterior variance: Eq. 9 of the paper, Eq. 6 and 7 of arXiv 2006.11239.

    With fewer steps than T the same formulas run on the shortened chain. Returns x0.
    """
    timesteps = even_timesteps(schedule, steps)
    for t, previous in zip(timesteps, [*timesteps[1:], None], strict=True):
        x0 = predict(x, t)
        abar = schedule.alphas_bar[t].item()
        abar_previous = 1.0 if previous is None else schedule.alphas_bar[previous].item()
        alpha = abar / abar_previous
        # Eq. 7: mean and variance of q(x_{t-1} | x_t, x0)
        mean = (
            math.sqrt(abar_previous) * (1 - alpha) / (1 - abar) * x0
            + math.sqrt(alpha) * (1 - abar_previous) / (1 - abar) * x
        )
        variance = (1 - alpha) * (1 - abar_previous) / (1 - abar)
        x = mean if previous is None else mean + math.sqrt(variance) * draw_noise()
    return x


def ddim(predict: Predict, x: Tensor, schedule: CosineSchedule, steps: int) -> Tensor:
    """Deterministic DDIM (eta = 0), arXiv 2010.02502, Eq. 12. Returns x0."""
    timesteps = even_timesteps(schedule, steps)
    for t, previous in zip(timesteps, [*timesteps[1:], None], strict=True):
        x0 = predict(x, t)
        abar = schedule.alphas_bar[t].item()
        abar_previous = 1.0 if previous is None else schedule.alphas_bar[previous].item()
        noise = (x - math.sqrt(abar) * x0) / math.sqrt(1 - abar)
        x = math.sqrt(abar_previous) * x0 + math.sqrt(1 - abar_previous) * noise  # Eq. 12
    return x


def dpm_solver(predict: Predict, x: Tensor, schedule: CosineSchedule, timesteps: list[int]) -> Tensor:
    """DPM-Solver++(2M): data prediction, second-order multistep; arXiv 2211.01095, algorithm 2.

    timesteps: falling. Returns x at the last of them, which is not clean yet; the first step is of first order.
    """
    lambdas = schedule.log_signal_to_noise
    earlier: tuple[Tensor, float] | None = None
    for t, following in pairwise(timesteps):
        x0 = predict(x, t)
        step = (lambdas[following] - lambdas[t]).item()  # h_i
        direction = x0
        if earlier is not None:
            earlier_x0, earlier_step = earlier
            ratio = earlier_step / step  # r_i
            direction = (1 + 0.5 / ratio) * x0 - 0.5 / ratio * earlier_x0  # D_i, algorithm 2 line 7
        abar, abar_following = schedule.alphas_bar[t].item(), schedule.alphas_bar[following].item()
        sigma_ratio = math.sqrt((1 - abar_following) / (1 - abar))
        x = sigma_ratio * x - math.sqrt(abar_following) * math.expm1(-step) * direction  # algorithm 2 line 8
        earlier = x0, step
    return x


def dpm_solver_to_clean(predict: Predict, x: Tensor, schedule: CosineSchedule, steps: int) -> Tensor:
    """DPM-Solver++(2M) over `steps` network evaluations; the last one is the result. Returns x0."""
    timesteps = log_spaced_timesteps(schedule, steps)
    x = dpm_solver(predict, x, schedule, timesteps)
    # Towards sigma = 0 the step in lambda is infinite; its first-order update is the prediction itself.
    return predict(x, timesteps[-1])


JOIN_FRAMES = 4


@dataclass(frozen=True)
class Kept:
    """Codes of an earlier take that stay while a range of frames is sampled again.

    codes: (N, D) float32 in the bundle's units, the head's pose in the last columns where the bundle has one.
    start, end: the frames that are new, end excluded.
    """

    codes: Tensor
    start: int
    end: int

    def share_of_new(self) -> Tensor:
        """How much of each frame is new: 0 outside the range, rising to 1 over its first and last frames; (N, 1)."""
        frames = torch.arange(len(self.codes), dtype=torch.float32)
        join = min(JOIN_FRAMES, (self.end - self.start) / 2)
        # At an end of the clip there is nothing to join.
        before = frames - self.start + 1 if self.start > 0 else torch.full_like(frames, math.inf)
        after = self.end - frames if self.end < len(frames) else torch.full_like(frames, math.inf)
        ramp = (torch.minimum(before, after) / (join + 1)).clamp(0, 1)
        share = ramp.square() * (3 - 2 * ramp)
        return share[:, None]


def keeping(predict: Predict, kept: Kept, scales: Tensor | float) -> Predict:
    """`predict` in which the codes to keep replace what the network predicts of them.

    Every sampler here moves x_t by its estimate of x0 alone. Where that is the known code at each step, x_t is the
    known code at that step's noise level: DDPM's posterior (Eq. 7 of arXiv 2006.11239) then draws from q(x_t | x0), and
    the deterministic samplers keep the noise they began with. So the network sees the kept frames as it would on the
    way to them, and fits the new ones to them (replacement as in arXiv 2201.09865, applied to x0).
    """
    codes, share = (kept.codes / scales)[None], kept.share_of_new()[None]  # (1, N, D), (1, N, 1)

    def predict_and_keep(x: Tensor, t: int) -> Tensor:
        known, new = codes.to(x), share.to(x)
        return known + new * (predict(x, t) - known)

    return predict_and_keep


@lru_cache(maxsize=1)
def _default_schedule() -> CosineSchedule:
    return CosineSchedule()


@torch.inference_mode()
def sample(
    denoiser: ExpressionDecoder,
    audio_features: Tensor,
    *,
    seed: int,
    steps: int = 8,
    sampler: str = SAMPLER,
    guidance: float = 1.0,
    controls: Tensor | None = None,
    control_guidance: float = 1.0,
    temperature: Temperature | None = None,
    kept: Kept | None = None,
    progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Tensor:
    """Sample expression codes (N, D) float32, on the CPU and in the bundle's units, for speech features (N, A).

    Where the bundle has a head pose, it stands in the last columns.

    seed: fixes the noise, 0 or any other whole number; the same seed gives the same codes bit for bit.
    steps: network evaluations, 1 to 1000. sampler: one of SAMPLERS.
    guidance: w of Eq. 10. 1 costs one pass per step, everything else but 0 two in one batch.
    controls: (N, C) of what the bundle can be asked for; None leaves them to the null condition.
    control_guidance: of the controls alone, as guidance is of the voice; everything but 1 costs one pass more.
    temperature: of the noise in some directions of the codes; None is full noise.
    kept: codes that stay, bit for bit, outside a range that is sampled again.
    progress: called with the fraction done after every step, and within the steps of a long clip. cancelled: asked
        before every step, and as often within them.

    Raises EngineError for a setting out of range, and Cancelled.
    """
    schedule = _default_schedule()
    if sampler not in SAMPLERS:
        raise EngineError(f"Unknown sampler '{sampler}'; use one of {', '.join(SAMPLERS)}.")
    STEPS.check(steps)
    GUIDANCE.check(guidance)
    device = denoiser.null_condition.device
    # Noise comes from the CPU, so that a seed means the same take on every device.
    generator = torch.Generator("cpu").manual_seed(seed % (1 << 63))
    shape = (1, audio_features.shape[0], denoiser.config.columns)
    scales = denoiser.config.scales

    def draw_noise() -> Tensor:
        noise = torch.randn(shape, generator=generator)  # (1, N, D)
        return (noise if temperature is None else temperature.scaled(noise)).to(device)

    if kept is not None:
        _check_kept(kept, shape)
    asked = None if controls is None else controls[None].to(device)
    evaluations = len(log_spaced_timesteps(schedule, steps)) if sampler == "dpm++" else steps
    watch = _Watch(evaluations, progress, cancelled)
    predict = guided(denoiser, audio_features[None].to(device), guidance, asked, control_guidance, watch.part)
    if kept is not None:
        predict = keeping(predict, kept, scales)
    predict = watch.watched(predict)
    start = draw_noise()
    if sampler == "ddpm":
        codes = ddpm(predict, start, schedule, steps, draw_noise)
    elif sampler == "ddim":
        codes = ddim(predict, start, schedule, steps)
    else:
        codes = dpm_solver_to_clean(predict, start, schedule, steps)
    codes = codes[0].cpu() * scales
    if kept is not None:
        codes[: kept.start], codes[kept.end :] = kept.codes[: kept.start], kept.codes[kept.end :]
    return codes


def _check_kept(kept: Kept, shape: tuple[int, int, int]) -> None:
    frames, dimensions = kept.codes.shape
    if (frames, dimensions) != shape[1:]:
        raise EngineError(
            f"The take to keep has {frames} codes of {dimensions} numbers, the recording has {shape[1]} of {shape[2]};"
            " use the take of this recording and this model."
        )
    if not 0 <= kept.start < kept.end <= frames:
        raise EngineError(f"Frames {kept.start}:{kept.end} lie outside the take; it has frames 0:{frames}.")


def guided(
    denoiser: ExpressionDecoder,
    audio_features: Tensor,
    guidance: float,
    controls: Tensor | None = None,
    control_guidance: float = 1.0,
    progress: Callable[[float], None] | None = None,
) -> Predict:
    """The prediction under classifier-free guidance, Eq. 10: u + w (c - u), the condition prepared once.

    Both c and u know the controls (1, N, C), so that w = `guidance` weighs the voice (1, N, A) alone. With v for
    `control_guidance` and n for the prediction that knows the voice but not the controls, (v - 1) (c - n) comes on top,
    as in arXiv 2211.09800, Eq. 3. Passes of weight 0 are left out; the others run in one batch.
    progress: see `ExpressionDecoder.denoise`.
    """
    weighed = [((audio_features, controls), guidance + control_guidance - 1), ((None, controls), 1 - guidance)]
    weighed.append(((audio_features, None), 1 - control_guidance if controls is not None else 0.0))
    passes = [(condition, weight) for condition, weight in weighed if weight]
    prepared = _batch([denoiser.prepare(*condition) for condition, _ in passes], audio_features.shape[1])
    weights = torch.tensor([weight for _, weight in passes], device=audio_features.device)[:, None, None]

    def predict(x: Tensor, t: int) -> Tensor:
        timesteps = torch.full((len(weights),), t, device=x.device)
        clean = denoiser.denoise(x.expand(len(weights), -1, -1), timesteps, prepared, progress)
        return (weights * clean).sum(0, keepdim=True)

    return predict


def _batch(passes: list[list[Tensor]], frames: int) -> list[Tensor]:
    """What each pass has for each block, (1, N or 1, W), as one batch for each block, (P, N, W). Empties the lists.

    Of a long clip both forms are large, so a block's parts are let go as soon as they are joined.
    """
    joined = []
    while passes[0]:
        joined.append(torch.cat([blocks.pop(0).expand(-1, frames, -1) for blocks in passes]))
    return joined


class _Watch:
    """Reports each evaluation of the network, and its parts; raises Cancelled when asked to stop."""

    def __init__(
        self, evaluations: int, progress: Callable[[float], None] | None, cancelled: Callable[[], bool] | None
    ) -> None:
        self._evaluations, self._done = evaluations, 0
        self._progress, self._cancelled = progress, cancelled

    def part(self, share: float) -> None:
        """Called with the fraction of an evaluation that is done."""
        if self._cancelled is not None and self._cancelled():
            raise Cancelled
        if self._progress is not None:
            self._progress((self._done + share) / self._evaluations)

    def watched(self, predict: Predict) -> Predict:
        """`predict`, watched."""

        def watched(x: Tensor, t: int) -> Tensor:
            if self._cancelled is not None and self._cancelled():
                raise Cancelled
            x0 = predict(x, t)
            self._done += 1
            if self._progress is not None:
                self._progress(self._done / self._evaluations)
            return x0

        return watched
