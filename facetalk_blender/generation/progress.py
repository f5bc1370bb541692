"""How a generation goes: its stages, how long they took, and about how long the rest will."""

from __future__ import annotations

import time

from .job import State

STAGE_SHARES = {State.LOAD: (0.0, 0.05), State.SAMPLE: (0.05, 0.2), State.SURFACES: (0.2, 1.0)}
UNCERTAIN_SECONDS = 1.0  # of a stage, from which nothing can be foretold yet


class Stopwatch:
    """seconds: how long stages took, by their names; first_frame_seconds: until something was seen, once it was."""

    def __init__(self):
        self.seconds: dict[str, float] = {}
        self.first_frame_seconds: float | None = None
        self._started = self._stage_started = time.perf_counter()

    def end_stage(self, state: State) -> None:
        """A stage has ended, the next one begins."""
        now = time.perf_counter()
        self.seconds[state.name.lower()] = now - self._stage_started
        self._stage_started = now

    def first_frame(self) -> None:
        """A frame is seen; only the first counts."""
        if self.first_frame_seconds is None:
            self.first_frame_seconds = time.perf_counter() - self._started

    def seconds_left(self, state: State, fraction: float) -> float | None:
        """About how long it will still take; None while nothing tells."""
        low, high = STAGE_SHARES.get(state, (0.0, 0.0))
        passed = time.perf_counter() - self._stage_started
        if state is not State.SURFACES or passed < UNCERTAIN_SECONDS or fraction <= low:
            return None
        return passed * (high - fraction) / (fraction - low)


def whole_fraction(state: State, fraction: float) -> float:
    """Share of the whole that is done, of the share of a stage."""
    low, high = STAGE_SHARES[state]
    return low + (high - low) * min(max(fraction, 0.0), 1.0)
