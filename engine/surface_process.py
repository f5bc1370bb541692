"""Further engine processes that make surfaces: threads of one process wait for each other's turn in Python.

Each runs on one core, is asked for a surface at a time, and keeps its own band from one to the next. Whatever goes
wrong with it, the surface is made by whoever asked.
"""

from __future__ import annotations

import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import BinaryIO, cast

import numpy as np
import torch

from .head.parallel import chunk_threads
from .head.surface.extract import Surface, free_bytes
from .head.surface.in_turn import Elsewhere, Lost
from .shared.protocol import ALIVE, FINAL_KINDS, Message, ProtocolError, read_message, write_message

# What one takes in memory, of which all together may take a quarter of what is free; how many there are at most.
PROCESS_BYTES, FREE_SHARE, MOST_PROCESSES = 900 << 20, 0.25, 7
# So long without a sign of life, and it is given up.
SILENT_SECONDS = 20.0
# Frames times points a side of a request that is worth the seconds which a process needs to start.
WORTH_STARTING = 6000


class SurfaceProcess:
    """One further engine process for a bundle; `ready` once it has loaded the head."""

    def __init__(self, command: Sequence[str], bundle: str):
        """command: what starts an engine process. Raises OSError when it does not start."""
        self.ready, self._request, self._bundle = False, 0, bundle
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
        # Popen's pipes may be None, these are not.
        self._requests, self._output = cast(BinaryIO, self._process.stdin), cast(BinaryIO, self._process.stdout)
        self._answers: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._heard, self._asking = time.monotonic(), threading.Lock()
        threading.Thread(target=self._read, name="surfaces", daemon=True).start()
        threading.Thread(target=self._load, name="surfaces", daemon=True).start()

    def extract(
        self, identity: np.ndarray | None, resolution: int, tolerance: float, expression: np.ndarray
    ) -> Surface:
        """The surface of an identity code (L,) and an expression code (E,). Raises Lost without an answer."""
        arrays = {"codes": np.asarray(expression, np.float32)[None]}
        if identity is not None:
            arrays["identity_code"] = np.asarray(identity, np.float32)
        answer = self._ask("frame", {"resolution": resolution, "tolerance": tolerance}, arrays)
        found = answer.arrays
        return Surface(
            found["vertices"], found["faces"], found["rest"], found["regions"], int(answer.fields["evaluated"])
        )

    def stop(self) -> None:
        """End the process."""
        self.ready = False
        self._process.kill()
        self._process.wait()

    def _load(self) -> None:
        try:
            self._ask("head", {}, {})
            self.ready = True
        except Lost:
            pass

    def _ask(self, kind: str, fields: dict, arrays: dict[str, np.ndarray]) -> Message:
        """The answer to a request, of which there is one message before the last."""
        with self._asking:
            self._request += 1
            request = Message(kind, self._request, {"bundle": self._bundle, "device": "cpu"} | fields, arrays)
            try:
                write_message(self._requests, request)
            except (OSError, ValueError) as error:  # it has ended, or was stopped
                raise self._gone() from error
            answer = self._answer()
            if answer.request != self._request:
                raise self._gone()
            if answer.kind in FINAL_KINDS:  # an error, which whoever asked will meet too
                raise Lost
            if self._answer().kind not in FINAL_KINDS:
                raise self._gone()
            return answer

    def _answer(self) -> Message:
        while True:
            try:
                answer = self._answers.get(timeout=1.0)
            except queue.Empty:
                if time.monotonic() - self._heard > SILENT_SECONDS:
                    raise self._gone() from None
                continue
            if answer is None:
                raise self._gone()
            return answer

    def _gone(self) -> Lost:
        self.stop()
        return Lost()

    def _read(self) -> None:
        try:
            while (message := read_message(self._output)) is not None:
                self._heard = time.monotonic()
                if message.kind != ALIVE:
                    self._answers.put(message)
        except (OSError, ValueError, ProtocolError):
            pass
        self._answers.put(None)


class SurfaceProcesses:
    """The further processes of an engine process, for one bundle at a time; none until they are started."""

    def __init__(self, command: Sequence[str]):
        self._command, self._bundle, self._later = command, "", ""
        self._processes: list[SurfaceProcess] = []

    def expect(self, bundle: str, size: int) -> None:
        """Surfaces of a bundle are asked for: start at once if their size is WORTH_STARTING, else `start_later`."""
        if size >= WORTH_STARTING:
            self._start(bundle)
        else:
            self._later = bundle

    def start_later(self) -> None:
        """Start those for surfaces that were not worth it by themselves: the next ones will be quicker."""
        if self._later:
            self._start(self._later)

    def _start(self, bundle: str) -> None:
        """Start as many as cores and memory allow, unless those of the bundle were started before."""
        self._later = ""
        if bundle == self._bundle:
            return
        self.stop()
        self._bundle = bundle
        free = free_bytes(torch.device("cpu"))
        fitting = MOST_PROCESSES if free is None else int(free * FREE_SHARE // PROCESS_BYTES)
        try:
            for _ in range(min(chunk_threads() - 1, fitting, MOST_PROCESSES)):
                self._processes.append(SurfaceProcess(self._command, bundle))
        except OSError:  # those that there are will do
            pass

    def stop(self) -> None:
        """End them."""
        for process in self._processes:
            process.stop()
        self._processes, self._bundle = [], ""

    def extractors(
        self, bundle: str, identity: np.ndarray | None, resolution: int, tolerance: float
    ) -> list[Elsewhere]:
        """What makes surfaces of an identity code (L,) in those that run for a bundle."""
        running = self._processes if bundle == self._bundle else []
        return [_Extractor(process, partial(process.extract, identity, resolution, tolerance)) for process in running]


class _Extractor:
    def __init__(self, process: SurfaceProcess, extract: Callable[[np.ndarray], Surface]):
        self._process, self.extract = process, extract

    @property
    def ready(self) -> bool:
        return self._process.ready
