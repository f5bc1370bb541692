"""How a generation goes: its stages, how long they took, and about how long the rest will."""

from __future__ import annotations

import time

from .costs import Cost
from .job import State

STAGE_SHARES = {State.LOAD: (0.0, 0.05), State.SAMPLE: (0.05, 0.2), State.SURFACES: (0.2, 1.0)}
FEWEST_FRAMES = 3  # from which a run that did not come to its end tells a pace
EXPECTED_WEIGHT = 3.0  # how many frames' worth of measuring the expected cost counts for while frames arrive


class FramePace:
    """Seconds from one new frame to the next. Those that are put back after an undo are not new."""

    def __init__(self):
        self.count = 0  # of steps from one frame to the next that were timed
        self.seconds = 0.0  # that these took together
        self._most = 0
        self._last: float | None = None

    def saw(self, written: int) -> None:
        """So many frames are there now."""
        if written < self._most:
            self._last = None
        elif written > self._most:
            now = time.perf_counter()
            if self._last is not None:
                self.count += written - self._most
                self.seconds += now - self._last
            self._most, self._last = written, now

    def per_frame(self, expected: float | None = None) -> float | None:
        """Seconds per frame; in the first frames as `expected` says, if that is known. None while nothing tells."""
        weight = 0.0 if expected is None else EXPECTED_WEIGHT
        if self.count + weight == 0:
            return None
        return (self.seconds + weight * (expected or 0.0)) / (self.count + weight)


class Stopwatch:
    """seconds: how long stages took, by their names; first_frame_seconds: until something was seen, once it was."""

    def __init__(self):
        self.seconds: dict[str, float] = {}
        self.first_frame_seconds: float | None = None
        self.pace = FramePace()
        self._started = self._stage_started = time.perf_counter()

    @property
    def stage_seconds(self) -> float:
        """How long the stage has taken so far."""
        return time.perf_counter() - self._stage_started

    def end_stage(self, state: State) -> None:
        """A stage has ended, the next one begins."""
        self.seconds[state.name.lower()] = self.stage_seconds
        self._stage_started = time.perf_counter()

    def frames_seen(self, written: int) -> None:
        """So many frames are seen; the first counts as the moment from which there is something to see."""
        if written and self.first_frame_seconds is None:
            self.first_frame_seconds = time.perf_counter() - self._started
        self.pace.saw(written)

    def seconds_left(
        self, state: State, expected: Cost | None, before: float, frames: int, written: int
    ) -> float | None:
        """About how long it will still take; None while nothing tells.

        expected: cost, None when nobody knows it. before: seconds that the engine's start and the take need, together
        because most networks are loaded for the take. frames: of the result, of which `written` are there.
        """
        if state is State.SURFACES and written:
            frame = self.pace.per_frame(expected.frame if expected else None)
            return None if frame is None else frame * (frames - written)
        if expected is None or state not in STAGE_SHARES:
            return None
        head = expected.seconds(frames)
        if state is State.SURFACES:
            return max(head - self.stage_seconds, 0.0)
        return max(before - (time.perf_counter() - self._started), 0.0) + head


def measured_cost(
    expected: Cost, pace: FramePace, seconds: float, written: int, frame_count: int, size: int
) -> dict[str, float]:
    """What a run tells of its cost: its head took `seconds` so far, for `written` frames of `size` bytes together.

    A run that ended early tells the pace of its frames. Empty when it ended too early for that.
    """
    whole, frame = written == frame_count, pace.per_frame() or 0.0
    if not whole and pace.count < FEWEST_FRAMES:
        return {}
    base_size = min(expected.base_size, float(size))
    return {
        "frame": frame,
        "base": max(seconds - frame * written, 0.0),
        "size": (size - base_size) / written,
        "base_size": base_size,
    }


def whole_fraction(state: State, fraction: float) -> float:
    """Share of the whole that is done, of the share of a stage."""
    low, high = STAGE_SHARES[state]
    return low + (high - low) * min(max(fraction, 0.0), 1.0)
