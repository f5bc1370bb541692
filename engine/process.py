"""The engine process: requests on standard input, progress and frames on standard output.

Started by Blender as `python -m engine.process`. Messages are those of `engine.shared.protocol`. Requests run one after
the other on the main thread; a reader thread takes cancellations at once and ends the process when Blender goes away.

| request | fields | arrays | answers |
|---|---|---|---|
| info | bundle, device | | info |
| sample | bundle, device, audio, sound, sampler settings, resample | sound, keep, keep_pose | progress, take |
| feeling | audio, sound | sound | feeling |
| weights | bundle, device, rate | weights (N,52 or 57) | progress, take |
| capture | bundle, device, video, start, duration, face | | progress, take |
| surfaces | bundle, device, rate, style, resolution, identity | codes (N,200), times (F,) seconds | progress, surface |
| shape_keys | bundle, device, rate, style, identity | codes (N,200) | progress, template, positions |
| head | bundle, device, identity, with_template | | head: identity code (L,) and, when asked for, its template |
| arkit_shapes | bundle, device, identity | | progress, template, positions (one for each weight) |
| import | model (auto, nphm, wav2vec2), sources, output, anchors | | progress, info of the bundle with its folder |
| cancel | | | |

sound: start, duration, whole_seconds, samples_rate. file (B,) is the content of a sound file, samples (S, C) its sound.
The sampler's settings are seed, steps, guidance, strength and refine.
controls {name: number or list} is what the performance shall be; an array control_NAME is one over time.
keep, keep_pose and resample are left out, or the codes (N,200) and the head pose (N,6) of an earlier take, and [start,
end) of what is sampled again.
style holds fields of `engine.shared.style.Style`; the codes are shown in that style.
Every request ends with one "done", "cancelled" or "error" {message}. While the process runs it sends an "alive" with
the request number 0 every second, so that one that hangs is told from one that works.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from .motion.codes import ExpressionTake
from .shared.errors import Cancelled, EngineError, UnreadableSound
from .shared.options import DEVICE, RESOLUTION, STARTER
from .shared.protocol import ALIVE, Message, ProtocolError, read_message, write_message
from .shared.requests import check_request
from .shared.style import Style
from .shared.units import SAMPLE_RATE
from .shared.weights import WEIGHT_NAMES

if TYPE_CHECKING:
    from .engine import Engine, ShapeKeySequence, SurfaceFrame

LIFE_SECONDS = 1.0
SAMPLE_OPTIONS = ("seed", "steps", "guidance", "control_guidance", "strength", "refine", "resample")
CONTROL = "control_"  # before the name of a control, as an array of a request


class EngineProcess:
    """Runs requests and writes their answers to `output`."""

    def __init__(self, output: BinaryIO):
        self._output = output
        self._writing = threading.Lock()
        self._cancelled: set[int] = set()
        self._engines: dict[tuple[str, str], Engine] = {}
        self._handlers = {
            "info": self._info,
            "sample": self._sample,
            "feeling": self._feeling,
            "weights": self._weights,
            "capture": self._capture,
            "surfaces": self._surfaces,
            "shape_keys": self._shape_keys,
            "import": self._import,
            "arkit_shapes": self._arkit_shapes,
            "head": self._head,
        }

    def cancel(self, request: int) -> None:
        """Mark a request as cancelled; called from the reader thread."""
        self._cancelled.add(request)

    def work_ahead(self) -> bool:
        """A piece of work for later requests while there is none; False when nothing is left."""
        try:
            return any(engine.work_ahead() for engine in self._engines.values())
        except Exception:  # nobody has asked for it
            traceback.print_exc()
            self._engines.clear()
            return False

    def run(self, request: Message) -> None:
        """Carry out one request; whatever happens, exactly one final message is written."""
        try:
            handler = self._handlers.get(request.kind)
            if handler is None:
                raise EngineError(f"The engine does not know the request '{request.kind}'; update the extension.")
            check_request(request)
            self._check_cancelled(request)
            handler(request)
            final = Message("done", request.request)
        except Cancelled:
            final = Message("cancelled", request.request)
        except EngineError as error:
            cause = {"cause": "sound"} if isinstance(error, UnreadableSound) else {}
            final = Message("error", request.request, {"message": str(error)} | cause)
        except Exception as error:  # the process must outlive a failed request and say why it failed
            traceback.print_exc()
            final = Message("error", request.request, {"message": _unexpected(error)})
        self._cancelled.discard(request.request)
        self._write(final)

    def _engine(self, fields: dict):
        from .engine import Engine

        key = (str(fields.get("bundle", STARTER)), str(fields.get("device", DEVICE)))
        if key not in self._engines:
            self._engines.clear()
            self._engines[key] = Engine.load(bundle=key[0], device=key[1])
        return self._engines[key]

    def _loaded_engine(self, request: Message):
        self._progress(request, "Loading model", 0.0)
        return self._engine(request.fields)

    def _info(self, request: Message) -> None:
        self._answer(request, "info", self._engine(request.fields).info())

    def _sample(self, request: Message) -> None:
        fields = request.fields
        engine = self._loaded_engine(request)
        options = {key: fields[key] for key in SAMPLE_OPTIONS if key in fields}
        options |= {name: request.arrays[name] for name in ("keep", "keep_pose") if name in request.arrays}
        arrays = {name: array for name, array in request.arrays.items() if name.startswith(CONTROL)}
        over_time = {name.removeprefix(CONTROL): array for name, array in arrays.items()}
        take = engine.sample(
            _recording(request),
            **options,
            controls=fields.get("controls", {}) | over_time,
            progress=lambda fraction: self._progress(request, "Sampling expression codes", fraction),
            cancelled=lambda: request.request in self._cancelled,
        )
        self._send_take(request, take)

    def _feeling(self, request: Message) -> None:
        from .motion.voice_emotion import whole_and_phrases

        found, phrases = whole_and_phrases(_recording(request)[0])
        facts: dict[str, object] = {
            "emotion": found.emotion,
            "controls": found.controls,
            "deviations": found.deviations,
        }
        facts["phrases"] = [
            {"start": one.start, "end": one.end, "emotion": one.feeling.emotion, "controls": one.feeling.controls}
            for one in phrases
        ]
        self._answer(request, "feeling", facts)

    def _weights(self, request: Message) -> None:
        engine = self._loaded_engine(request)
        self._send_take(request, engine.take_from_weights(request.arrays["weights"], float(request.fields["rate"])))

    def _capture(self, request: Message) -> None:
        fields = request.fields
        engine = self._loaded_engine(request)
        take = engine.capture(
            fields["video"],
            **{name: fields[name] for name in ("start", "duration", "face") if name in fields},
            progress=lambda fraction: self._progress(request, "Following the face", fraction),
            cancelled=lambda: request.request in self._cancelled,
        )
        self._send_take(request, take)

    def _send_take(self, request: Message, take: ExpressionTake) -> None:
        self._check_cancelled(request)
        facts = {
            "rate": take.rate,
            "seed": take.seed,
            "weight_names": _weight_names(take),
            "provenance": take.provenance,
        }
        arrays = {"codes": take.codes, "weights": take.weights, "lip_opening_mm": take.lip_opening_mm}
        arrays["pose"] = take.pose
        self._answer(request, "take", facts, {name: array for name, array in arrays.items() if array is not None})

    def _surfaces(self, request: Message) -> None:
        fields = request.fields
        engine = self._loaded_engine(request)
        take = _styled_take(engine, request)
        times = request.arrays["times"]
        frames = engine.surfaces(
            take, identity=fields.get("identity"), resolution=int(fields.get("resolution", RESOLUTION)), times=times
        )
        template = engine.template_at_rest(fields.get("identity"))
        for surface in frames:
            self._check_cancelled(request)
            arrays = {"vertices": surface.vertices, "faces": surface.faces, "regions": surface.regions}
            arrays |= _place_arrays(surface)
            if template is not None:  # with the first surface alone
                arrays["template_rest"], template = template, None
            self._answer(request, "surface", {"index": surface.index, "region_names": surface.region_names}, arrays)
            self._progress(request, "Extracting surfaces", (surface.index + 1) / len(times))

    def _shape_keys(self, request: Message) -> None:
        fields = request.fields
        engine = self._loaded_engine(request)
        take = _styled_take(engine, request)
        self._send_shapes(request, engine.shape_keys(take, identity=fields.get("identity")), len(take.codes))

    def _arkit_shapes(self, request: Message) -> None:
        engine = self._loaded_engine(request)
        self._send_shapes(request, engine.arkit_shapes(identity=request.fields.get("identity")), len(WEIGHT_NAMES))

    def _head(self, request: Message) -> None:
        fields = request.fields
        engine = self._engine(fields)
        code = engine.identity_code(fields.get("identity"))
        arrays = {"code": np.zeros(engine.head.identity_dimensions, np.float32) if code is None else code}
        if fields.get("with_template"):
            rest = ExpressionTake(np.zeros((1, engine.head.expression_dimensions), np.float32))
            arrays |= _template_arrays(engine.shape_keys(rest, identity=code))
        self._answer(request, "head", {"region_names": engine.head.regions.names}, arrays)

    def _send_shapes(self, request: Message, keys: ShapeKeySequence, count: int) -> None:
        self._answer(request, "template", {"region_names": keys.region_names}, _template_arrays(keys))
        for index, positions in enumerate(keys.positions):
            self._check_cancelled(request)
            self._answer(request, "positions", {"index": index}, {"vertices": positions})
            self._progress(request, "Posing shape keys", (index + 1) / count)

    def _import(self, request: Message) -> None:
        from .importing.recognise import recognise

        fields = request.fields
        first, output = Path(fields["sources"][0]), Path(fields["output"])
        model = recognise(first) if fields["model"] == "auto" else fields["model"]
        progress = partial(self._progress, request)

        def cancelled() -> bool:
            return request.request in self._cancelled

        if model == "nphm":
            from .importing.nphm import import_nphm

            import_nphm(
                fields["sources"], output, anchors=fields.get("anchors"), progress=progress, cancelled=cancelled
            )
        elif model == "wav2vec2":
            from .importing.wav2vec2 import import_wav2vec2

            import_wav2vec2(first, output, progress=progress, cancelled=cancelled)
        elif model != "bundle":
            raise EngineError(f"The engine cannot import '{model}'; choose nphm or wav2vec2.")
        folder = str(first if model == "bundle" else output)
        information = self._engine({"bundle": folder, "device": "cpu"}).info()
        self._answer(request, "info", information | {"folder": folder})

    def _check_cancelled(self, request: Message) -> None:
        if request.request in self._cancelled:
            raise Cancelled

    def _progress(self, request: Message, stage: str, fraction: float) -> None:
        self._answer(request, "progress", {"stage": stage, "fraction": float(fraction)})

    def _answer(self, request: Message, kind: str, fields: dict, arrays: dict[str, np.ndarray] | None = None) -> None:
        self._write(Message(kind, request.request, fields, arrays or {}))

    def _write(self, message: Message) -> None:
        with self._writing:
            write_message(self._output, message)

    def show_life(self) -> None:
        """Send a sign of life every second, for ever; for a thread."""
        while True:
            try:
                self._write(Message(ALIVE, 0))
            except OSError:  # nobody hears it
                os._exit(0)
            time.sleep(LIFE_SECONDS)


def _recording(request: Message) -> tuple[np.ndarray, int]:
    """The part of the sound that a request asks for: mono samples and their rate, which the engine takes."""
    from .motion.audio import load

    fields, arrays = request.fields, request.arrays
    sound = fields["audio"]
    if "samples" in arrays:
        sound = arrays["samples"], int(fields["samples_rate"])
    elif "file" in arrays:
        sound = arrays["file"].tobytes()
    part = {name: fields[name] for name in ("start", "duration", "whole_seconds") if name in fields}
    return load(sound, **part), SAMPLE_RATE


def _weight_names(take: ExpressionTake) -> list[str]:
    return [] if take.weights is None else list(WEIGHT_NAMES[: take.weights.shape[1]])


def _styled_take(engine: Engine, request: Message) -> ExpressionTake:
    arrays = request.arrays
    take = ExpressionTake(arrays["codes"], float(request.fields["rate"]), pose=arrays.get("pose"))
    found, expected = take.codes.shape[1], engine.head.expression_dimensions
    if found != expected:
        raise EngineError(
            f"The take's codes have {found} numbers, those of the model bundle {engine.bundle.name} {expected}; "
            "choose the bundle that it was made with, or generate it again."
        )
    return engine.styled(take, Style(**request.fields.get("style", {})))


def _template_arrays(keys: ShapeKeySequence) -> dict[str, np.ndarray]:
    template = {"vertices": keys.vertices, "polygons": keys.polygons, "uv": keys.uv, "regions": keys.regions}
    return template | _place_arrays(keys)


def _place_arrays(shape: SurfaceFrame | ShapeKeySequence) -> dict[str, np.ndarray]:
    """Where vertices lie on the head at rest and on its eyes."""
    eyes = {} if shape.eyes is None else {"eye_vertices": shape.eyes[0], "eye_directions": shape.eyes[1]}
    return {"rest": shape.rest} | eyes


def _unexpected(error: Exception) -> str:
    text = f"{type(error).__name__}: {error}".splitlines()[0]
    if isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text:
        return "The engine ran out of memory; choose a lower resolution or a shorter clip."
    if isinstance(error, ImportError):
        return f"The engine's packages do not load ({text}); install the engine runtime in the preferences."
    return f"The engine failed unexpectedly ({text}); see the system console for details."


def _read_requests(stream: BinaryIO, process: EngineProcess, requests: queue.Queue) -> None:
    try:
        while (message := read_message(stream)) is not None:
            if message.kind == "cancel":
                process.cancel(message.request)
            else:
                requests.put(message)
    except Exception as error:  # a process that hears nothing any more must not stay
        text = str(error) if isinstance(error, ProtocolError) else f"{type(error).__name__}: {error}"
        sys.stderr.write(f"The engine received a malformed message: {text}\n")
        sys.stderr.flush()
        os._exit(3)
    # Blender closed the pipe or died: nobody reads the answers any more, whatever is running.
    os._exit(0)


def main() -> None:
    """Serve requests until standard input closes."""
    output = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    # Whatever a library prints must not land between two messages.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches Blender too, which ends this process
    process = EngineProcess(output)
    threading.Thread(target=process.show_life, daemon=True).start()
    requests: queue.Queue[Message] = queue.Queue()
    threading.Thread(target=_read_requests, args=(sys.stdin.buffer, process, requests), daemon=True).start()
    while True:
        try:
            request = requests.get_nowait()
        except queue.Empty:
            if process.work_ahead():
                continue
            request = requests.get()
        process.run(request)


if __name__ == "__main__":
    main()
