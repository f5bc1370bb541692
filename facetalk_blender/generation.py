"""One generation, from a sound strip to an object, as a state machine.

    LOAD -> SAMPLE -> SURFACES -> FINISH -> DONE
      any of them -> CANCELLED (everything removed) or FAILED (finished frames stay)

The modal operator calls `tick` from a timer, the batch run calls `run`. Between two calls nothing of Blender's data is
held: it may be undone, deleted or renamed meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

import bpy
import numpy as np

from ..engine.errors import EngineError
from ..engine.protocol import Message
from . import playback, sound_strip, stage, take
from .engine_client import EngineClient
from .outputs.frame_meshes import FrameMeshes
from .outputs.result import ResultLost, resolve
from .outputs.shape_keys import ShapeKeys

TICK_SECONDS = 0.008
WAIT_SECONDS = 0.2


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

    output: "FRAME_MESHES" or "SHAPE_KEYS"; resolution: cells per side for frame meshes.
    identity: "mean", "random:SEED" or a file with an identity code.
    seed, steps, guidance, strength: of the sampler; None is the model's own number.
    bundle: "starter" or a folder; device: "auto", "cpu" or "cuda".
    frames: scene frames to make surfaces for; None makes all that are heard.
    audio_playback, add_stage: whether to set up playback, and camera and lights.
    """

    output: str = "FRAME_MESHES"
    resolution: int = 128
    identity: str = "mean"
    seed: int = 0
    steps: int | None = None
    guidance: float | None = None
    strength: float = 1.0
    bundle: str = "starter"
    device: str = "auto"
    frames: range | None = None
    audio_playback: bool = True
    add_stage: bool = True


class Generation:
    """One run. `state`, `stage_text`, `fraction` (0..1) and `error` say how it goes; `seconds` how long stages took."""

    def __init__(self, client: EngineClient, strip: bpy.types.SoundStrip, settings: Settings):
        """Raises EngineError when the strip or the settings cannot be used."""
        self.settings = settings
        self.clip = sound_strip.clip_of(strip)
        self.frames = settings.frames or range(self.clip.frame_start, self.clip.frame_end)
        self.state = State.LOAD
        self.stage_text = State.LOAD.value
        self.fraction = 0.0
        self.error = ""
        self.engine_info: dict = {}
        self.seconds: dict[str, float] = {}
        self.take: take.Take | None = None
        self.result_name = ""
        self.first_frame_seconds: float | None = None
        self._scene = strip.id_data.session_uid
        self._audio, self._audio_is_temporary = sound_strip.readable_file(strip)
        self._client = client
        self._writer: FrameMeshes | ShapeKeys | None = None
        self._prepared = False
        self._stage_started = self._started = time.perf_counter()
        self._handlers = {State.LOAD: self._on_info, State.SAMPLE: self._on_take, State.SURFACES: self._on_surface}
        try:
            client.start()
        except OSError as error:
            self._remove_temporary_audio()
            raise EngineError("The engine's Python could not be started; check it in the preferences.") from error
        self._request = self._ask("info", {})

    @property
    def running(self) -> bool:
        """Whether the generation has not ended yet."""
        return self.state not in FINAL_STATES

    @property
    def written(self) -> int:
        """Frames written so far."""
        return self._writer.written if self._writer else 0

    def head(self) -> bpy.types.Object:
        """The object that is being written. Raises ResultLost when there is none."""
        if self._writer is None:
            raise ResultLost
        return self._writer.result()

    def tick(self, seconds: float = TICK_SECONDS) -> bool:
        """Work for at most about `seconds` (one frame's mesh is the smallest piece); False once it has ended."""
        deadline = time.perf_counter() + seconds
        try:
            while self.running and time.perf_counter() < deadline:
                if self._writer and not self._prepared:
                    self._prepared = self._writer.prepare(deadline - time.perf_counter())
                    continue
                message = self._client.poll()
                if message is None:
                    break
                self._receive(message)
        except ResultLost:
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
        """Give the generation up: the engine stops, what was written is removed, earlier results show again."""
        if not self.running:
            return
        self._client.cancel(self._request)
        if self._writer:
            self._writer.discard()
        self._end(State.CANCELLED)

    def fail(self, reason: str) -> None:
        """End with an error; frames that are finished stay in the scene."""
        self.error = reason
        if self._writer and self._writer.written:
            self._finish_result()
            self.error += f" {self._writer.written} of {self._writer.frame_count} frames were kept."
        elif self._writer:
            self._writer.discard()
        self._end(State.FAILED)

    def _ask(self, kind: str, fields: dict, arrays: dict | None = None) -> int:
        common = {"bundle": self.settings.bundle, "device": self.settings.device}
        return self._client.request(kind, common | fields, arrays)

    def _receive(self, message: Message) -> None:
        if message.request != self._request:
            return  # the tail of an earlier, cancelled request
        if message.kind == "progress":
            self._show_progress(message.fields)
        elif message.kind == "error":
            self.fail(str(message.fields.get("message", "The engine failed without a reason.")))
        elif message.kind == "cancelled":
            self.cancel()
        else:
            try:
                self._handlers[self.state](message)
            except (KeyError, ValueError, IndexError, TypeError) as error:
                self._client.stop()
                self.fail(f"The engine sent an unusable answer ({error}); check that it fits the extension.")

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
        elif message.kind == "done":
            self._enter(State.SAMPLE)
            names = ("seed", "steps", "guidance", "strength")
            fields = {name: getattr(self.settings, name) for name in names}
            part = {"audio": str(self._audio), "start": self.clip.audio_start, "duration": self.clip.duration}
            self._request = self._ask("sample", fields | part)

    def _on_take(self, message: Message) -> None:
        if message.kind == "take":
            # Of a model whose codes have no such reading, weights and lip opening are left out.
            optional = {name: message.arrays.get(name) for name in ("weights", "lip_opening_mm")}
            facts = asdict(self.settings) | {"frames": None, "provenance": message.fields.get("provenance", {})}
            # Names instead of paths: the file may be opened on another computer.
            facts |= {"identity": Path(self.settings.identity).name, "bundle": self.engine_info.get("bundle", "")}
            self.take = take.Take(
                rate=float(message.fields["rate"]),
                seed=int(message.fields["seed"]),
                weight_names=message.fields["weight_names"],
                settings=facts | {"sound": self.clip.path.name, "audio_start": self.clip.audio_start},
                codes=message.arrays["codes"],
                **optional,
            )
        elif message.kind == "done":
            self._enter(State.SURFACES)
            self._ask_for_surfaces()

    def _ask_for_surfaces(self) -> None:
        scene = resolve(bpy.data.scenes, self._scene)
        arrays = {"codes": self.take.codes}
        if self.settings.output == "SHAPE_KEYS":
            self._writer = ShapeKeys(scene, self.clip, len(self.take.codes), self.take.rate)
        else:
            self._writer = FrameMeshes(scene, self.clip, self.frames)
            arrays["times"] = np.array(self._writer.times, np.float64)
        fields = {"rate": self.take.rate, "resolution": self.settings.resolution, "identity": self.settings.identity}
        self._request = self._ask(self._writer.request_kind, fields, arrays)

    def _on_surface(self, message: Message) -> None:
        if message.kind != "done":
            self._writer.write(message)
            if self.first_frame_seconds is None and self._writer.written:
                self.first_frame_seconds = time.perf_counter() - self._started
        elif self._writer.written < self._writer.frame_count:
            self.fail("The engine delivered too few frames; generate again.")
        else:
            self._enter(State.FINISH)
            self._finish_result()
            self._end(State.DONE)

    def _finish_result(self) -> None:
        owner = self._writer.finish()
        self.result_name = owner.name
        take.store(self.take, owner)
        scene = resolve(bpy.data.scenes, self._scene)
        if self.settings.audio_playback:
            playback.set_up_audio(scene, self.clip)
        if self.settings.add_stage:
            stage.add_stage_around(scene, owner)

    def _lost(self) -> None:
        self._client.cancel(self._request)
        if self._writer:
            self._writer.discard()
        self.error = "The head or its scene was deleted while it was being made; generate again."
        self._end(State.FAILED)

    def _end(self, state: State) -> None:
        self._enter(state)
        self.fraction = 1.0 if state is State.DONE else self.fraction
        self._remove_temporary_audio()

    def _remove_temporary_audio(self) -> None:
        if self._audio_is_temporary:
            Path(self._audio).unlink(missing_ok=True)
