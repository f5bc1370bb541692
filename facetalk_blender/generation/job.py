"""A job: work of seconds or minutes that is done in pieces while Blender stays usable."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from enum import Enum

TICK_SECONDS = 0.005  # a piece of work in hand is finished, so a tick may take twice as long
WAIT_SECONDS = 0.2
PAUSE_SECONDS = 0.001


class State(Enum):
    """Where a job stands; the value is the stage's text for people."""

    LOAD = "Starting the engine"
    SAMPLE = "Sampling expression codes"
    SURFACES = "Making the head"
    FINISH = "Finishing"
    DONE = "Done"
    CANCELLED = "Cancelled"
    FAILED = "Failed"


FINAL_STATES = (State.DONE, State.CANCELLED, State.FAILED)


def time_text(seconds: float) -> str:
    """Seconds for people."""
    return f"{max(round(seconds), 1)}\u00a0s" if seconds < 100 else f"{round(seconds / 60)}\u00a0min"


class Job(ABC):
    """One run. The modal operator calls `tick` from a timer, the run without a window calls `run`.

    state: where it stands. stage_text, fraction (0..1), seconds_left: how it goes; None while nothing tells.
    error: why it failed; not_writable: whether because an output could not be written.
    notes: what the artist should know of a result that is done. result_name: of its object.
    """

    seconds_left: float | None = None

    def __init__(self, state: State):
        self.state = state
        self.stage_text = state.value
        self.fraction = 0.0
        self.error = ""
        self.not_writable = False
        self.notes: list[str] = []
        self.result_name = ""

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.state not in FINAL_STATES

    @property
    def count_text(self) -> str:
        """How many of what it makes are there, e.g. "45 of 96"; empty while none is."""
        return ""

    @property
    def progress_text(self) -> str:
        """How it goes, in one line, e.g. "Making the head: 45 of 96, 3 min left"."""
        left, count = self.seconds_left, self.count_text
        stage = self.state.value if count else self.stage_text
        told = ", ".join(fact for fact in (count, "" if left is None else f"{time_text(left)} left") if fact)
        return f"{stage}: {told}" if told else stage

    @abstractmethod
    def tick(self, seconds: float = TICK_SECONDS) -> bool:
        """Work for about `seconds`, in pieces of a few milliseconds; False once it has ended."""

    @abstractmethod
    def cancel(self) -> None:
        """Give it up, and leave everything as it was. One that is finishing is finished instead."""

    @abstractmethod
    def start_again(self) -> None:
        """After an undo or redo, which may have taken what is being made."""

    def saving(self, begins: bool) -> None:
        """The file is about to be saved, and what is saved must be whole; or that has ended, and all goes on."""
        if begins and self.state is State.FINISH:
            self.run()

    def run(self, on_progress: Callable[[str, float], None] | None = None) -> None:
        """Work until it has ended. For background mode, where no timers run. on_progress: gets text and fraction."""
        while self.running:
            self.tick(WAIT_SECONDS)
            if on_progress:
                on_progress(self.stage_text, self.fraction)
            if self.running:
                time.sleep(PAUSE_SECONDS)
