"""One generation, from a sound strip to an object, as a state machine.

    LOAD -> SAMPLE -> SURFACES -> FINISH -> DONE
      any of them -> CANCELLED (everything removed) or FAILED (finished frames and the take stay)

Between two calls nothing of Blender's data is held: it may be undone, deleted or renamed meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import bpy

from ...engine.shared.errors import EngineError, NotWritable
from ...engine.shared.protocol import Message
from ..blender_data.datablocks import DataBlockLost, run_to_end
from ..engine_access.client import EngineClient
from ..hair.worn import putting_on
from ..look import stage
from ..outputs.removal import remove_unfinished
from ..outputs.result_writer import ResultWriter
from ..sound import playback
from ..sound import strip as sound_strip
from ..takes import renamed_strips
from ..takes.take import Take
from . import gaze_target
from .conversation import UNUSABLE, Conversation, failure
from .costs import Workload
from .job import TICK_SECONDS, Job, State
from .options import Options
from .progress import Stopwatch, measured_cost, whole_fraction
from .result_stream import ResultStream
from .session import session
from .strip_take import StripTake

SILENT_SECONDS = 5.0  # after which the artist is told that nothing is heard
PLAUSIBLE = 5.0  # how many times the expected time of sampling is believed


class Generation(Job):
    """One run.

    options: what it is asked for. source: a take that is made into a new output without sampling.
    frame_range: with a source, the scene frames (first, last) that are sampled again, for a take of their own.
    """

    def __init__(
        self,
        client: EngineClient,
        strip: bpy.types.SoundStrip,
        options: Options,
        source: bpy.types.Text | None = None,
        frame_range: tuple[int, int] | None = None,
    ):
        """Raises EngineError when the strip, the take or the options cannot be used."""
        super().__init__(State.LOAD)
        self.options = options
        self.engine_info: dict = {}
        self.step = ""  # which of the work between messages
        self._stream = ResultStream(options)
        self._spoken = StripTake(strip, source, frame_range, options.frames)
        self.frames = options.frames or range(self.clip.frame_start, self.clip.frame_end)
        self._steps: Iterator[bool] | None = None  # of the work between messages; False: nothing to do just now
        self._reason = ""
        self._watch = Stopwatch()
        self._handlers = {State.LOAD: self._on_info, State.SAMPLE: self._on_take, State.SURFACES: self._stream.receive}
        self._workload = Workload(options.device, options.output, options.resolution, options.bundle)
        self._expected = session.costs.expected(self._workload)
        self._cost_known = session.costs.known(self._workload)
        self._engine_was_cold, self._start_left = not client.alive, client.start_left(self._expected.start)
        self._playback_before: playback.PlaybackSettings | None = None
        self._engine = Conversation(client, options.bundle, options.device)
        self._spoken.connect(strip)
        self._engine.ask("info", {})

    @property
    def clip(self) -> sound_strip.Clip:
        """What is heard of the strip."""
        return self._spoken.clip

    @property
    def take(self) -> Take | None:
        """The take, once there is one."""
        return self._spoken.take

    @property
    def seconds(self) -> dict[str, float]:
        """How long stages took, by their names."""
        return self._watch.seconds

    @property
    def first_frame_seconds(self) -> float | None:
        """How long it took until something was seen."""
        return self._watch.first_frame_seconds

    @property
    def written(self) -> int:
        """Frames written so far."""
        return self._stream.written

    @property
    def seconds_left(self) -> float | None:
        """About how long it will still take; None while nothing tells."""
        expected = self._expected if self._cost_known else None
        duration = 0.0 if self._spoken.sound is None else self.clip.duration
        before = self._start_left + self._expected.sampling * duration
        return self._watch.seconds_left(self.state, expected, before, self._frame_count, self.written)

    @property
    def count_text(self) -> str:
        """How many of its frames are there, e.g. "45 of 96"; empty before the first."""
        told = self.state is State.SURFACES and self.written and self._engine.silent_seconds <= SILENT_SECONDS
        return f"{self.written} of {self._frame_count}" if told else ""

    @property
    def _frame_count(self) -> int:
        writer = self._stream.writer
        return len(self.frames) if writer is None else writer.frame_count

    def head(self) -> bpy.types.Object:
        """The head that is being written. Raises DataBlockLost when there is none."""
        return self._stream.head()

    def take_text(self) -> bpy.types.Text | None:
        """The take in the file that the head is made of, if it is there."""
        return self._spoken.found_text()

    def tick(self, seconds: float = TICK_SECONDS) -> bool:
        """Work for about `seconds`, in pieces of a few milliseconds; False once it has ended."""
        deadline = time.perf_counter() + seconds
        try:
            while self.running and time.perf_counter() < deadline and self._work(deadline):
                pass
        except DataBlockLost:
            self._lost()
        return self.running

    def cancel(self) -> None:
        """Give the generation up: the engine stops, what was written is removed, earlier results are as they were."""
        if not self.running:
            return
        if self.state is State.FINISH:
            # Nothing would be gained, and earlier results may be gone already.
            self.run()
            return
        self._engine.cancel()
        self._remember_cost()
        self._stream.discard()
        self._spoken.remove_new_text()
        if self._playback_before is not None and (scene := self._spoken.found_scene()) is not None:
            self._playback_before.put_back(scene)
        self._end(State.CANCELLED)

    def fail(self, reason: str) -> None:
        """End with an error; the take and frames that are finished stay."""
        self.error = reason
        self._remember_cost()
        if self.written and self._keeps_finished():
            self.error += f" {self.written} of {self._stream.writer.frame_count} frames were kept."
        else:
            self._stream.discard()
        self._end(State.FAILED)

    def _keeps_finished(self) -> bool:
        """Show the frames that there are; False when that is not possible either."""
        try:
            run_to_end(self._finish_result())
        except (EngineError, *UNUSABLE):
            return False
        return True

    def start_again(self) -> None:
        """After an undo or redo, which may have taken the head or some of its frames: put back what is finished."""
        if self.state in (State.SURFACES, State.FINISH):
            self._stream.take_back()
            remove_unfinished()  # one of an earlier step, which the redo brought back
            self._make_head()

    def saving(self, begins: bool) -> None:
        """In the file, the strip's earlier head is shown and not the unfinished one."""
        super().saving(begins)
        writer = self._stream.writer
        if self.running and isinstance(writer, ResultWriter):
            if begins:
                writer.stand_back()
            else:
                writer.come_forward()

    def _work(self, deadline: float) -> bool:
        """Do the next piece of work; False when there is nothing to do now."""
        if self._steps is not None:
            return self._go_on_with_steps()
        try:
            if self._stream.work(deadline):
                return True
        except UNUSABLE as error:
            self._unusable(error)
            return False
        except EngineError as error:
            self.not_writable = isinstance(error, NotWritable)
            self._give_up(str(error))
            return False
        self._watch.frames_seen(self.written)
        if self._stream.complete:
            self._complete()
            return False
        return self._stream.ready and self._receive_next()

    def _go_on_with_steps(self) -> bool:
        try:
            more = next(self._steps, None)
        except EngineError as error:
            self.not_writable = isinstance(error, NotWritable)
            self.fail(str(error))
            return False
        except UNUSABLE as error:
            self._unusable(error)
            return False
        if more is None:
            self._steps = None
        return more is not False

    def _receive_next(self) -> bool:
        message = self._engine.poll()
        if message is None:
            if (silent := self._engine.silent_seconds) > SILENT_SECONDS:
                self.stage_text = f"The engine has not been heard for {silent:.0f} s"
            return self._stream.work_ahead()
        try:
            self._receive(message)
        except EngineError as error:
            self.fail(str(error))
        except UNUSABLE as error:
            self._unusable(error)
        return True

    def _receive(self, message: Message) -> None:
        if message.kind == "progress":
            self.stage_text = str(message.fields["stage"])
            self.fraction = whole_fraction(self.state, float(message.fields["fraction"]))
        elif message.kind == "error" and message.fields.get("cause") == "sound" and not self._spoken.sound.decoded:
            self._steps = self._decoding_steps()
        elif message.kind == "error":
            self._reason = failure(message)
            self._stream.end()
        elif message.kind == "cancelled":
            self.cancel()
        else:
            self._handlers[self.state](message)

    def _unusable(self, error: Exception) -> None:
        self._engine.stop()
        self.fail(f"The engine sent an unusable answer ({error}); check that it fits the extension.")

    def _give_up(self, reason: str) -> None:
        """The head cannot be stored: nothing of it stays but the take."""
        self._engine.cancel()
        self._stream.discard()
        self.fail(f"{reason} Its take stays: use Make Output.")

    def _lost(self) -> None:
        self._engine.cancel()
        self._stream.discard()
        self.error = "The head, its sound strip or its scene was deleted while it was being made"
        self.error += "; its take stays: make an output of it." if self._spoken.stored else "; generate again."
        self._end(State.FAILED)

    def _enter(self, state: State) -> None:
        self._watch.end_stage(self.state)
        self.state = state
        self.stage_text = state.value

    def _end(self, state: State) -> None:
        self._enter(state)
        if state is State.DONE:
            self.fraction = 1.0
        else:
            renamed_strips.remove_unused_links()
        self._stream.close()

    @property
    def _bundle_name(self) -> str:
        """The name that the bundle gives itself."""
        return self.engine_info.get("bundle", "")

    def _on_info(self, message: Message) -> None:
        if message.kind == "info":
            self.engine_info = message.fields
        elif message.kind == "done" and self._spoken.sound is None:
            self._make_head()
        elif message.kind == "done":
            self._enter(State.SAMPLE)
            self._sample()

    def _on_take(self, message: Message) -> None:
        if message.kind == "take":
            self._spoken.receive(message, self.options, self._bundle_name)
        elif message.kind == "done":
            if not self._spoken.sampled:
                raise ValueError("no take came")
            self._make_head()

    def _sample(self) -> None:
        self._steps = self._sampling_steps()

    def _sampling_steps(self) -> Iterator[bool]:
        if self.options.gaze is not None:
            yield from self._gaze_steps()
        if self._spoken.sound.readable:
            self._engine.ask("sample", *self._spoken.request(self.options))
        else:
            yield from self._decoding_steps()

    def _gaze_steps(self) -> Iterator[bool]:
        """Where the target is at every moment becomes two controls more."""
        self.step, clip = "gaze", self.clip
        found: dict[str, list] = {}
        yield from gaze_target.following(
            self.options.gaze, clip.frame_start, clip.frame_end, clip.frames_per_second, found
        )
        numbers, over_time = gaze_target.as_controls(found)
        self.options = replace(
            self.options,
            controls=self.options.controls | numbers,
            keyed_controls=self.options.keyed_controls | over_time,
            gaze=None,
        )

    def _decoding_steps(self) -> Iterator[bool]:
        """The engine cannot read the sound as Blender plays it: it gets Blender's samples."""
        self.step, self.stage_text = "sound", "Decoding the sound"
        for share in self._spoken.sound.decode():
            self.stage_text = f"Decoding the sound, {share:.0%}"
            yield False
        self._engine.ask("sample", *self._spoken.request(self.options))

    def _make_head(self) -> None:
        self._enter(State.SURFACES)
        self._steps = self._head_steps()

    def _head_steps(self) -> Iterator[bool]:
        self.step = "take"
        yield from self._spoken.store()
        self.step = "materials"
        for _ in self._stream.materials():
            yield True
        self.step = "room"
        frame_size = session.costs.expected(self._workload).size
        question = self._stream.open(self._spoken, self.frames, frame_size, self._bundle_name)
        if question is not None:
            self._engine.cancel()  # what it was asked before, if anything: the frames to make are others now
            self._engine.ask(*question)
        self._set_up_playback()  # already now: frames play while later ones arrive
        self.step = "frames"

    def _set_up_playback(self) -> None:
        if self.options.audio_playback:
            scene = self._spoken.scene()
            self._playback_before = self._playback_before or playback.PlaybackSettings.of(scene)
            playback.set_up_audio(scene, self.clip)

    def _complete(self) -> None:
        if self._reason:
            self.fail(self._reason)
        elif self.written < self._stream.writer.frame_count:
            self.fail("The engine delivered too few frames; generate again.")
        else:
            self._enter(State.FINISH)
            self._steps = self._last_steps()

    def _last_steps(self) -> Iterator[bool]:
        yield from self._finish_result()
        self._remember_cost()
        self._end(State.DONE)

    def _finish_result(self) -> Iterator[bool]:
        self.step = "result"
        writer = self._stream.writer
        self._spoken.text()  # raises when the take was deleted meanwhile
        # A tick each: any of these may have the scene evaluated, which cannot be divided.
        for _ in writer.finish():
            yield False
        owner = writer.result()
        self.result_name, self.notes = owner.name, [*self._spoken.notes(), *writer.notes]
        self._set_up_playback()
        yield False
        if self.options.cut is not None and writer.makes_head:
            self.step = "hair"
            head, scene = writer.result().session_uid, self._spoken.scene().session_uid
            for _ in putting_on(head, self.options.cut, scene, self.options.strands):
                yield True
        if self.options.add_stage and writer.makes_head:
            self.step = "stage"
            ids = self._spoken.scene().session_uid, writer.result().session_uid
            for _ in stage.stage_around(*ids, self.options.stage):
                yield True

    def _remember_cost(self) -> None:
        """Learn from what this run took, be it whole or not."""
        writer, written = self._stream.writer, self.written
        if not written or self._spoken.new_codes or not isinstance(writer, ResultWriter):
            return
        try:
            size = writer.size()
        except DataBlockLost:
            return
        seconds = self.seconds.get("surfaces", self._watch.stage_seconds)
        measured = measured_cost(self._expected, self._watch.pace, seconds, written, writer.frame_count, size)
        if measured:
            session.costs.update(self._workload, **measured, **self._engine_cost())

    def _engine_cost(self) -> dict[str, float]:
        """What the stages before the head took. In a cold engine's first sampling its networks load."""
        if self._spoken.sound is None or not {"load", "sample"} <= self.seconds.keys():
            return {}
        load, sample = self.seconds["load"], self.seconds["sample"]
        if not self._engine_was_cold:
            sampling = sample / self.clip.duration
            # Else it was still loading its networks.
            return {"sampling": sampling} if sampling < PLAUSIBLE * self._expected.sampling else {}
        sampling = min(self._expected.sampling, sample / self.clip.duration)
        return {"start": load + sample - sampling * self.clip.duration, "sampling": sampling}
