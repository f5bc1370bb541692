"""Means with confidence intervals by the bootstrap over clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES, SEED = 2000, 0
COVERED = (2.5, 97.5)  # percentiles of a 95 % interval


@dataclass(frozen=True)
class Estimate:
    """A value, the 95 % confidence interval around it (None for a single clip), and the number of clips."""

    value: float
    interval: tuple[float, float] | None
    n: int

    def text(self, digits: int) -> str:
        """E.g. "11.27 [11.02, 11.51]"; tiny numbers are written with an exponent."""
        numbers = [self.value, *(self.interval or ())]
        small = 0 < abs(self.value) < 10.0**-digits
        first, *ends = [f"{number:.2e}" if small else f"{number:.{digits}f}" for number in numbers]
        return first + (f" [{', '.join(ends)}]" if ends else "")


def mean_over_clips(values: Sequence[float]) -> Estimate:
    """The mean of one value a clip; clips are drawn again with replacement for the interval."""
    array = np.asarray(values, float)
    if len(array) < 2:
        return Estimate(float(array.mean()), None, len(array))
    rows = np.random.default_rng(SEED).integers(len(array), size=(RESAMPLES, len(array)))
    low, high = np.percentile(array[rows].mean(axis=1), COVERED)
    return Estimate(float(array.mean()), (float(low), float(high)), len(array))


def around(value: float, resampled: Sequence[float], n: int) -> Estimate:
    """A value with the interval of normal errors whose deviation is that of values of drawn clips."""
    if len(resampled) < 2:
        return Estimate(value, None, n)
    half = 1.96 * float(np.std(resampled, ddof=1))
    return Estimate(value, (value - half, value + half), n)
