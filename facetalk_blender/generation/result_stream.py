"""Surfaces of the engine on their way into a result."""

from __future__ import annotations

import time
from collections.abc import Iterator

import bpy

from ...engine.shared.protocol import Message
from ..blender_data.datablocks import DataBlockLost
from ..outputs.result_writer import ResultWriter
from .options import Options
from .output_choice import OutputChoice
from .strip_take import StripTake


class ResultStream:
    """What is received is written, some milliseconds at a time. writer: of the result, once there is one."""

    def __init__(self, options: Options):
        """Raises EngineError when targets of curves cannot be used."""
        self.writer: ResultWriter | None = None
        self._choice = OutputChoice(options)
        self._prepared = self._received = False
        self._idle = True

    @property
    def written(self) -> int:
        """Frames written so far."""
        return self.writer.written if self.writer else 0

    @property
    def ready(self) -> bool:
        """Whether another message can be taken."""
        return self.writer is None or self.writer.ready

    @property
    def complete(self) -> bool:
        """Whether nothing more will come, and all that has come is written."""
        return self._received and self._idle

    def head(self) -> bpy.types.Object:
        """The head that is being written. Raises DataBlockLost when there is none."""
        if self.writer is None or not self.writer.makes_head:
            raise DataBlockLost
        return self.writer.result()

    def materials(self) -> Iterator[None]:
        """Make the materials that the result needs, in pieces."""
        return self._choice.materials()

    def open(self, spoken: StripTake, frames: range, frame_size: float, bundle: str) -> tuple[str, dict, dict]:
        """Begin a result: kind, fields and arrays of the question whose answers it is made of.

        For what is given and raised see `OutputChoice.writer`.
        """
        self._prepared = self._received = False
        self.writer, fields, arrays = self._choice.writer(spoken, frames, frame_size, bundle)
        return self.writer.request_kind, fields, arrays

    def work(self, deadline: float) -> bool:
        """Work until about the deadline of time.perf_counter; True while there is no room for all frames yet.

        Raises EngineError when the result cannot be stored, and what an unusable answer raises.
        """
        if self.writer is None:
            return False
        if not self._prepared:
            self._prepared = self.writer.prepare(deadline - time.perf_counter())
            return True
        self._idle = self.writer.work(deadline)
        return False

    def receive(self, message: Message) -> None:
        """Take a surface, or the last message."""
        if message.kind == "done":
            self.end()
        else:
            self.writer.write(message)

    def end(self) -> None:
        """Nothing more will come."""
        self._received = True

    def discard(self) -> None:
        """Remove what was written."""
        if self.writer is not None:
            self.writer.discard()
        self.writer, self._idle = None, True
