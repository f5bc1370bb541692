"""Surfaces of the engine on their way into a result."""

from __future__ import annotations

import time
from collections.abc import Iterator

import bpy
import numpy as np

from ...engine.shared.protocol import Message
from ..blender_data.datablocks import DataBlockLost
from ..outputs.result_writer import ResultWriter
from .options import Options
from .output_choice import OutputChoice
from .spool import Spool
from .strip_take import StripTake


class ResultStream:
    """What is received is written, some milliseconds at a time. writer: of the result, once there is one."""

    def __init__(self, options: Options):
        """Raises EngineError when targets of curves cannot be used."""
        self.writer: ResultWriter | None = None
        self._choice = OutputChoice(options)
        self._ahead: Iterator[None] | None = self._choice.materials()
        self._prepared = self._received = False
        self._idle = True
        self._question: tuple[str, dict, dict] | None = None
        self._spool = Spool()
        self._again: Iterator[Message] | None = None  # what had come before an undo, on its way into a new writer

    @property
    def written(self) -> int:
        """Frames written so far."""
        return self.writer.written if self.writer else 0

    @property
    def ready(self) -> bool:
        """Whether another message can be taken."""
        return self.writer is None or (self.writer.ready and self._again is None)

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
        """Make the materials that the result needs, in pieces; what `work_ahead` has made is there already."""
        self._ahead = None
        return self._choice.materials()

    def work_ahead(self) -> bool:
        """Make a piece of the materials, while the engine is waited for; False when there is nothing to make."""
        if self._ahead is None:
            return False
        try:
            next(self._ahead)
        except (StopIteration, DataBlockLost):  # an undo has taken what was made: `materials` makes it again
            self._ahead = None
        return True

    def open(self, spoken: StripTake, frames: range, frame_size: float, bundle: str) -> tuple[str, dict, dict] | None:
        """Begin a result: kind, fields and arrays of the question whose answers it is made of.

        None when the question is the one that was asked before: what has come is written again, and the rest is still
        coming. For what is given and raised see `OutputChoice.writer`.
        """
        self._prepared = False
        self.writer, fields, arrays = self._choice.writer(spoken, frames, frame_size, bundle)
        question = self.writer.request_kind, fields, arrays
        if self._question is not None and _same(question, self._question) and self._spool.whole():
            self._again = self._spool.messages()
            return None
        self._received, self._question = False, question
        self._spool.clear()
        return question

    def work(self, deadline: float) -> bool:
        """Work until about the deadline of time.perf_counter; True while there is more to do at once.

        Raises EngineError when the result cannot be stored, and what an unusable answer raises.
        """
        if self.writer is None:
            return False
        if not self._prepared:
            self._prepared = self.writer.prepare(deadline - time.perf_counter())
            return True
        if self._again is not None and self.writer.ready:
            self._write_again()
        self._idle = self.writer.work(deadline) and self._again is None
        return self._again is not None and self.writer.ready

    def receive(self, message: Message) -> None:
        """Take a surface, or the last message."""
        if message.kind == "done":
            self.end()
        else:
            self._spool.keep(message)
            self.writer.write(message)

    def end(self) -> None:
        """Nothing more will come."""
        self._received = True

    def discard(self) -> None:
        """Remove what was written, and forget what has come."""
        self.take_back()
        self.close()

    def take_back(self) -> None:
        """Remove what was written; what has come is kept for the next writer."""
        if self.writer is not None:
            self.writer.discard()
        self.writer, self._idle, self._again = None, True, None

    def close(self) -> None:
        """Nothing is written again."""
        self._spool.clear()
        self._question = None

    def _write_again(self) -> None:
        message = next(self._again, None)
        if message is None:
            self._again = None
        else:
            self.writer.write(message)


def _same(question: tuple[str, dict, dict], other: tuple[str, dict, dict]) -> bool:
    arrays, others = question[2], other[2]
    return (
        question[:2] == other[:2]
        and arrays.keys() == others.keys()
        and all(np.array_equal(array, others[name]) for name, array in arrays.items())
    )
