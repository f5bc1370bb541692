"""One generation, from a sound strip to an object, as a state machine.

    LOAD -> SAMPLE -> SURFACES -> FINISH -> DONE
      any of them -> CANCELLED (everything removed) or FAILED (finished frames and the take stay)

The modal operator calls `tick` from a timer, the batch run calls `run`. Between two calls nothing of Blender's data is
held: it may be undone, deleted or renamed meanwhile.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from enum import Enum
from pathlib import Path

import bpy

from ...engine.shared.errors import EngineError
from ...engine.shared.options import DEVICE, RESOLUTION, STARTER
from ...engine.shared.protocol import Message
from ...engine.shared.style import Style
from ..blender_data.datablocks import DataBlockLost, resolve
from ..engine_access.client import EngineClient
from ..look import appearance, stage
from ..look.material import material_pieces
from ..outputs.curves import expression_curves
from ..outputs.frames.frame_meshes import FrameMeshes
from ..outputs.frames.frame_storage import FrameStorage
from ..outputs.frames.frames_in_cache import kept_files
from ..outputs.frames.frames_in_file import kept_meshes
from ..outputs.result_writer import ResultWriter
from ..outputs.shape_keys import ShapeKeys
from ..sound import digest as sound_digest
from ..sound import playback, strip_link
from ..sound import strip as sound_strip
from ..takes import renamed_strips, take
from . import costs

TICK_SECONDS = 0.005
WAIT_SECONDS = 0.2
UNUSABLE = (KeyError, ValueError, IndexError, TypeError)  # what an answer that is not as agreed raises
SAMPLER_SETTINGS = ("seed", "steps", "guidance", "strength")
CONTEXT_CODES = 8  # beyond a range of new codes, how many more the interpolation between codes still feels


class State(Enum):
    """Where a generation stands; the value is the stage's text for people."""

    LOAD = "Starting the engine"
    SAMPLE = "Sampling expression codes"
    SURFACES = "Making the head"
    FINISH = "Finishing"
    DONE = "Done"
    CANCELLED = "Cancelled"
    FAILED = "Failed"


FINAL_STATES = (State.DONE, State.CANCELLED, State.FAILED)
STAGE_SHARES = {State.LOAD: (0.0, 0.05), State.SAMPLE: (0.05, 0.2), State.SURFACES: (0.2, 1.0)}


@dataclass(frozen=True)
class Settings:
    """What a generation is asked for.

    output: "FRAME_MESHES", "SHAPE_KEYS" or "EXPRESSION_CURVES"; resolution: cells per side for frame meshes.
    identity: "mean", "random:SEED" or a file with an identity code, and moved controls (see identity_text).
    skin_color, eye_color: linear; None leaves the materials' own.
    seed, steps, guidance, strength: of the sampler; None is the model's own number.
    bundle: "starter" or a folder; device: "auto", "cpu" or "cuda".
    frames: scene frames to make surfaces for; None makes all that are heard.
    audio_playback, add_stage: whether to set up playback, and camera and lights around a new head.
    curves: of Expression Curves.
    style: in which the take is shown; the take itself stays as it was sampled.
    storage: of frame meshes.
    """

    output: str = "FRAME_MESHES"
    resolution: int = RESOLUTION
    identity: str = "mean"
    skin_color: appearance.Color | None = None
    eye_color: appearance.Color | None = None
    seed: int = 0
    steps: int | None = None
    guidance: float | None = None
    strength: float = 1.0
    bundle: str = STARTER
    device: str = DEVICE
    frames: range | None = None
    audio_playback: bool = True
    add_stage: bool = True
    curves: expression_curves.CurveSettings = field(default_factory=expression_curves.CurveSettings)
    style: Style = field(default_factory=Style)
    storage: FrameStorage = field(default_factory=FrameStorage)


class Generation:
    """One run. `state`, `stage_text`, `fraction` (0..1) and `error` say how it goes; `seconds` how long stages took.

    source: a take that is made into a new output without sampling.
    frame_range: with a source, the scene frames (first, last) that are sampled again, for a take of their own.
    """

    def __init__(
        self,
        client: EngineClient,
        strip: bpy.types.SoundStrip,
        settings: Settings,
        source: bpy.types.Text | None = None,
        frame_range: tuple[int, int] | None = None,
    ):
        """Raises EngineError when the strip, the take or the settings cannot be used."""
        self.settings = settings
        self.take = take.load(source) if source else None
        self.clip = sound_strip.clip_of(strip) if self.take is None else _clip_of_take(strip, self.take)
        self.frames = settings.frames or range(self.clip.frame_start, self.clip.frame_end)
        self.new_codes = self._code_range(*frame_range) if frame_range else None  # positions in the source's codes
        self.state = State.LOAD
        self.stage_text = State.LOAD.value
        self.fraction = 0.0
        self.error = ""
        self.engine_info: dict = {}
        self.seconds: dict[str, float] = {}
        self.result_name = ""
        self.first_frame_seconds: float | None = None
        self.notes: list[str] = []  # what the artist should know about a finished result
        on_targets = settings.output == "EXPRESSION_CURVES" and settings.curves.targets
        self._plans = expression_curves.plans(settings.curves) if on_targets else []
        self._source = source.session_uid if source else None
        self._text = None if frame_range or source is None else source.session_uid
        self._text_is_new = False
        self._scene = strip.id_data.session_uid
        self._digest, self._part = sound_digest.digest(strip), sound_strip.heard_part(strip)
        if source:
            self._digest, self._part = source[take.SOUND_PROPERTY], tuple(source[take.PART_PROPERTY])
        self._client = client
        self._writer: ResultWriter | None = None
        self._prepared = self._received = False
        self._steps: Iterator[bool] | None = None  # of the work between messages; False: nothing to do just now
        self.step = ""  # which of them
        self._reason = ""
        self._stage_started = self._started = time.perf_counter()
        self._handlers = {State.LOAD: self._on_info, State.SAMPLE: self._on_take, State.SURFACES: self._on_surface}
        self._audio, self._audio_is_temporary = None, False
        if self.take is None or self.new_codes:
            self._audio, self._audio_is_temporary = sound_strip.readable_file(strip)
        self._job = costs.Job(settings.device, settings.output, settings.resolution, settings.bundle)
        self._engine_was_cold = not client.alive
        try:
            client.start()
        except OSError as error:
            self._remove_temporary_audio()
            raise EngineError("The engine's Python could not be started; check it in the preferences.") from error
        self._link = strip_link.connect(strip.id_data, strip.name)
        self._request = self._ask("info", {})

    @property
    def running(self) -> bool:
        """Whether the generation has not ended yet."""
        return self.state not in FINAL_STATES

    @property
    def written(self) -> int:
        """Frames written so far."""
        return self._writer.written if self._writer else 0

    @property
    def seconds_left(self) -> float | None:
        """About how long it will still take; None while nothing tells."""
        low, high = STAGE_SHARES.get(self.state, (0.0, 0.0))
        passed = time.perf_counter() - self._stage_started
        if self.state is not State.SURFACES or passed < 1.0 or self.fraction <= low:
            return None
        return passed * (high - self.fraction) / (self.fraction - low)

    def head(self) -> bpy.types.Object:
        """The head that is being written. Raises DataBlockLost when there is none."""
        if self._writer is None or not self._writer.makes_head:
            raise DataBlockLost
        return self._writer.result()

    def take_text(self) -> bpy.types.Text | None:
        """The take in the file that the head is made of, if it is there."""
        return next((text for text in bpy.data.texts if text.session_uid == self._text), None)

    def tick(self, seconds: float = TICK_SECONDS) -> bool:
        """Work for about `seconds`, in pieces of a few milliseconds; False once it has ended."""
        deadline = time.perf_counter() + seconds
        try:
            while self.running and time.perf_counter() < deadline and self._work(deadline):
                pass
        except DataBlockLost:
            self._lost()
        return self.running

    def run(self, on_progress: Callable[[str, float], None] | None = None) -> None:
        """Work until it has ended. For background mode, where no timers run."""
        while self.running:
            self.tick(WAIT_SECONDS)
            if on_progress:
                on_progress(self.stage_text, self.fraction)
            if self.running:
                time.sleep(0.005)

    def cancel(self) -> None:
        """Give the generation up: the engine stops, what was written is removed, earlier results are as they were."""
        if not self.running:
            return
        if self.state is State.FINISH:
            # Nothing would be gained, and earlier results may be gone already.
            self.run()
            return
        self._client.cancel(self._request)
        if self._writer:
            self._writer.discard()
        if self._text_is_new:
            _remove_text(self._text)
        self._end(State.CANCELLED)

    def fail(self, reason: str) -> None:
        """End with an error; the take and frames that are finished stay."""
        self.error = reason
        if self._writer and self._writer.written:
            for _ in self._finish_result():
                pass
            self.error += f" {self._writer.written} of {self._writer.frame_count} frames were kept."
        elif self._writer:
            self._writer.discard()
        self._end(State.FAILED)

    def start_head_again(self) -> None:
        """After an undo or redo, which may have taken the head or some of its frames: make it again from the take."""
        if self.state not in (State.SURFACES, State.FINISH):
            return
        if self._writer is not None:
            self._client.cancel(self._request)
            self._writer.discard()
            self._writer = None
        self._make_head()

    def _work(self, deadline: float) -> bool:
        """Do the next piece of work; False when there is nothing to do now."""
        if self._steps is not None:
            return self._go_on_with_steps()
        if self._writer and not self._prepared:
            self._prepared = self._writer.prepare(deadline - time.perf_counter())
            return True
        try:
            idle = self._writer is None or self._writer.work(deadline)
        except UNUSABLE as error:
            self._unusable(error)
            return False
        except EngineError as error:
            self._give_up(str(error))
            return False
        if self.first_frame_seconds is None and self.written:
            self.first_frame_seconds = time.perf_counter() - self._started
        if self._received and idle:
            self._complete()
            return False
        if self._writer and not self._writer.ready:
            return False
        message = self._client.poll()
        if message is not None:
            self._receive(message)
        return message is not None

    def _go_on_with_steps(self) -> bool:
        try:
            more = next(self._steps, None)
        except EngineError as error:
            self.fail(str(error))
            return False
        if more is None:
            self._steps = None
        return more is not False

    def _ask(self, kind: str, fields: dict, arrays: dict | None = None) -> int:
        common = {"bundle": self.settings.bundle, "device": self.settings.device}
        return self._client.request(kind, common | fields, arrays)

    def _receive(self, message: Message) -> None:
        if message.request != self._request:
            return  # the tail of an earlier, cancelled request
        if message.kind == "progress":
            self._show_progress(message.fields)
        elif message.kind == "error":
            self._reason = str(message.fields.get("message", "The engine failed without a reason."))
            self._received = True
        elif message.kind == "cancelled":
            self.cancel()
        else:
            try:
                self._handlers[self.state](message)
            except EngineError as error:
                self.fail(str(error))
            except UNUSABLE as error:
                self._unusable(error)

    def _unusable(self, error: Exception) -> None:
        self._client.stop()
        self.fail(f"The engine sent an unusable answer ({error}); check that it fits the extension.")

    def _give_up(self, reason: str) -> None:
        """The head cannot be stored: nothing of it stays but the take."""
        self._client.cancel(self._request)
        self._writer.discard()
        self._writer = None
        self.fail(f"{reason} Its take stays: use Make Output.")

    def _show_progress(self, fields: dict) -> None:
        low, high = STAGE_SHARES[self.state]
        self.stage_text = str(fields["stage"])
        self.fraction = low + (high - low) * min(max(float(fields["fraction"]), 0.0), 1.0)

    def _enter(self, state: State) -> None:
        now = time.perf_counter()
        self.seconds[self.state.name.lower()] = now - self._stage_started
        self._stage_started = now
        self.state = state
        self.stage_text = state.value

    def _on_info(self, message: Message) -> None:
        if message.kind == "info":
            self.engine_info = message.fields
        elif message.kind == "done" and self._audio is None:
            self._make_head()
        elif message.kind == "done":
            self._enter(State.SAMPLE)
            fields = {name: getattr(self.settings, name) for name in SAMPLER_SETTINGS}
            fields |= {"audio": str(self._audio), "start": self.clip.audio_start, "duration": self.clip.duration}
            arrays = {}
            if self.new_codes:
                fields["resample"] = list(self.new_codes)
                arrays["keep"] = self.take.codes
            self._request = self._ask("sample", fields, arrays)

    def _on_take(self, message: Message) -> None:
        if message.kind == "take":
            # Of a model whose codes have no such reading, weights and lip opening are left out.
            optional = {name: message.arrays.get(name) for name in ("weights", "lip_opening_mm")}
            facts = asdict(self.settings) | {"frames": None, "provenance": message.fields.get("provenance", {})}
            # Names instead of paths: the file may be opened on another computer.
            facts |= {"identity": Path(self.settings.identity).name, "bundle": self.engine_info.get("bundle", "")}
            del facts["storage"]
            facts |= {"sound": self.clip.path.name, "audio_start": self.clip.audio_start}
            self.take = take.Take(
                rate=float(message.fields["rate"]),
                seed=int(message.fields["seed"]),
                weight_names=message.fields["weight_names"],
                settings=facts | {"duration": self.clip.duration},
                codes=message.arrays["codes"],
                **optional,
            )
        elif message.kind == "done":
            self._make_head()

    def _make_head(self) -> None:
        self._enter(State.SURFACES)
        self._steps = self._head_steps()

    def _head_steps(self) -> Iterator[bool]:
        self.step = "take"
        yield from self._store_take()
        self.step = "materials"
        for _ in material_pieces() if not self._plans else ():
            yield True
        self.step = "room"
        self._ask_for_surfaces()
        self.step = "frames"

    def _store_take(self) -> Iterator[bool]:
        """Have the take in the file, whatever becomes of the head."""
        if any(text.session_uid == self._text for text in bpy.data.texts):
            return
        worker = ThreadPoolExecutor(max_workers=1)
        content = worker.submit(take.content_of, self.take)
        worker.shutdown(wait=False)
        while not content.done():
            yield False
        while (digest := self._digest or self._digest_now()) is None:
            yield False
        scene = self._follow_strip()
        text = take.store(content.result(), self.take.seed, scene, self.clip.strip_name, digest, self._part)
        self._text = text.session_uid
        self._text_is_new = True

    def _digest_now(self) -> str | None:
        strip = sound_strip.find_strip(self._follow_strip(), self.clip.strip_name)
        if strip is None:
            raise DataBlockLost
        return sound_digest.digest(strip)

    def _follow_strip(self) -> bpy.types.Scene:
        """Take over the name that the strip has now; its scene. Raises DataBlockLost when that is gone."""
        scene = resolve(bpy.data.scenes, self._scene)
        self.clip = replace(self.clip, strip_name=strip_link.linked_name(scene, self._link) or self.clip.strip_name)
        return scene

    def _ask_for_surfaces(self) -> None:
        scene, text = self._follow_strip(), resolve(bpy.data.texts, self._text)
        self._prepared = self._received = False
        arrays = {"codes": self.take.codes}
        if self.settings.output == "SHAPE_KEYS":
            self._writer = ShapeKeys(scene, self.clip, text, len(self.take.codes), self.take.rate)
        elif self.settings.output == "EXPRESSION_CURVES":
            common = (scene, self.clip, text, self.take.styled(self.settings.style), self.settings.curves)
            self._writer = expression_curves.writer(*common, self._plans)
        else:
            folder = self._cache_folder(text)
            kept = self._kept_frames(scene, cached=folder is not None)
            self._writer = FrameMeshes(scene, self.clip, text, self.frames, self._look(), folder, kept)
            arrays["times"] = self._writer.times
        if isinstance(self._writer, ResultWriter):
            appearance.set_colors(self._writer.result(), self.settings.skin_color, self.settings.eye_color)
        fields = {"rate": self.take.rate, "resolution": self.settings.resolution, "identity": self.settings.identity}
        fields["style"] = asdict(self.settings.style)
        self._request = self._ask(self._writer.request_kind, fields, arrays)

    def _cache_folder(self, text: bpy.types.Text) -> Path | None:
        """A new folder for the frames; None when they are kept in the file."""
        settings = self.settings
        size = costs.expected(self._job).size * len(self.frames)
        return settings.storage.new_folder(text.name, size) if settings.storage.in_cache(size) else None

    def _kept_frames(self, scene: bpy.types.Scene, cached: bool) -> dict[int, int] | dict[int, Path]:
        """Frames of the source's head that show the same codes and are kept in the same way, by scene frame."""
        if not self.new_codes:
            return {}
        first, last = self.new_codes
        context = CONTEXT_CODES + self.settings.style.reach(self.take.rate)
        low, high = first - context, last + context
        outside = [f for f in self.frames if not low <= self.clip.time_of(f) * self.take.rate <= high]
        find = kept_files if cached else kept_meshes
        return find(scene, resolve(bpy.data.texts, self._source), outside, self._look())

    def _look(self) -> str:
        """What two heads must share to share meshes."""
        colors = (self.settings.skin_color, self.settings.eye_color)
        facts = (self.settings.resolution, self.settings.identity, *colors, self.engine_info.get("bundle"))
        facts += (self.settings.style,) if self.settings.style.changes else ()
        return " ".join(map(str, (*facts, self.clip.frame_zero, self.clip.frames_per_second)))

    def _on_surface(self, message: Message) -> None:
        if message.kind != "done":
            self._writer.write(message)
        else:
            self._received = True

    def _complete(self) -> None:
        if self._reason:
            self.fail(self._reason)
        elif self._writer.written < self._writer.frame_count:
            self.fail("The engine delivered too few frames; generate again.")
        else:
            self._enter(State.FINISH)
            self._steps = self._last_steps()

    def _last_steps(self) -> Iterator[bool]:
        yield from self._finish_result()
        if not self.new_codes and isinstance(self._writer, ResultWriter):
            self._remember_cost()
        self._end(State.DONE)

    def _finish_result(self) -> Iterator[bool]:
        self.step = "result"
        resolve(bpy.data.texts, self._text)  # raises when the take was deleted meanwhile
        # A tick each: any of these may have the scene evaluated, which cannot be divided.
        for _ in self._writer.finish():
            yield False
        owner = self._writer.result()
        self.result_name, self.notes = owner.name, list(self._writer.notes)
        if self.settings.audio_playback:
            playback.set_up_audio(resolve(bpy.data.scenes, self._scene), self.clip)
        yield False
        if self.settings.add_stage and self._writer.makes_head:
            self.step = "stage"
            for _ in stage.stage_around(self._scene, self._writer.result().session_uid):
                yield True

    def _lost(self) -> None:
        self._client.cancel(self._request)
        if self._writer:
            self._writer.discard()
        self.error = "The head, its sound strip or its scene was deleted while it was being made"
        self.error += "; its take stays: make an output of it." if self._text else "; generate again."
        self._end(State.FAILED)

    def _end(self, state: State) -> None:
        self._enter(state)
        if state is State.DONE:
            self.fraction = 1.0
        else:
            renamed_strips.remove_unused_links()
        self._remove_temporary_audio()

    def _remove_temporary_audio(self) -> None:
        if self._audio_is_temporary:
            Path(self._audio).unlink(missing_ok=True)

    def _code_range(self, first: int, last: int) -> tuple[int, int]:
        """Positions of the codes that scene frames first..last show: (start, end), end excluded."""
        count, rate = len(self.take.codes), self.take.rate
        start = max(math.floor(self.clip.time_of(first) * rate), 0)
        end = min(math.ceil(self.clip.time_of(last) * rate) + 1, count)
        if end <= start:
            raise EngineError("The chosen frames lie outside the take; move the range over the sound strip.")
        return start, end

    def _remember_cost(self) -> None:
        frames = self._writer.frame_count
        measured = {"frame": self.seconds["surfaces"] / frames, "size": self._writer.size() / frames}
        if self._engine_was_cold:
            measured["start"] = self.seconds["load"]
        if self._audio is not None:
            measured["sampling"] = self.seconds["sample"] / self.clip.duration
        costs.remember(self._job, replace(costs.expected(self._job), **measured))


def _clip_of_take(strip: bpy.types.SoundStrip, source: take.Take) -> sound_strip.Clip:
    start = float(source.settings.get("audio_start", 0.0))
    return sound_strip.clip_of_part(strip, start, float(source.settings.get("duration", source.duration)))


def _remove_text(session_uid: int) -> None:
    for text in bpy.data.texts:
        if text.session_uid == session_uid:
            bpy.data.texts.remove(text)
            break
