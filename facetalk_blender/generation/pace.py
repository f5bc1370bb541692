"""How quick the engine is on this computer, measured once, so that the first promise of the panel holds.

A process of its own speaks the built-in sentence as the first generation would, and makes what each output needs of it:
some frames of the lowest resolution, the keys of both kinds. All is thrown away. The warm engine is not touched, and
nothing of Blender's is.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...engine.shared.errors import EngineError
from ...engine.shared.options import RESOLUTIONS
from ...engine.shared.protocol import Message
from ..engine_access.background_task import BackgroundTask
from ..engine_access.client import FINAL_KINDS, EngineClient
from ..engine_access.runtime import Runtime
from ..outputs.result_writer import BYTES_PER_VERTEX
from ..sound.sentence import SENTENCE, SENTENCE_SECONDS
from .conversation import failure
from .costs import Cost

WARM_UP_SECONDS = 0.2  # of the sentence, with which an engine loads its networks
TIMES = tuple(0.9 + number / 24 for number in range(7))  # seconds of the sentence: the mouth opens and closes
POLL_SECONDS = 0.1


class PaceMeasurement(BackgroundTask):
    """Measures; `costs` are the engine's part of each output, by its name, once it has ended well."""

    def __init__(self, runtime: Runtime, engine_root: Path, bundle: str, device: str):
        super().__init__()
        self.text = "Measuring how quick this computer is"
        self.costs: dict[str, Cost] = {}
        self._client = EngineClient(runtime.python, engine_root, runtime.library_folders)
        self._common = {"bundle": bundle, "device": device}

    def work(self) -> None:
        """Speak. Raises EngineError when the engine cannot, OSError when it cannot be started."""
        try:
            begun = time.perf_counter()
            self._client.start()
            self._ask("info", "info", {}, {})
            self._sample()  # as of an engine that a generation starts; the next one is warm
            first = time.perf_counter() - begun
            take, sampling = self._sample()
            spoken = {"rate": take.fields["rate"]}, {"codes": take.arrays["codes"]}
            cost = Cost(max(first - sampling, 0.0), sampling / SENTENCE_SECONDS, 0.0, 0.0)
            found = {"FRAME_MESHES": self._frames(cost, *spoken)}
            found["SHAPE_KEYS"] = self._keys(cost, "shape_keys", *spoken)
            if "weights" in take.arrays:  # else curves cannot be made
                found["EXPRESSION_CURVES"] = self._keys(cost, "arkit_shapes", {}, {})
            self.costs = found
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise EngineError(f"The engine sent an unusable answer ({error}); check that it fits.") from error
        finally:
            self._client.stop()

    def _sample(self) -> tuple[Message, float]:
        """A take of the sentence, and how many seconds it took."""
        begun = time.perf_counter()
        fields = {"audio": str(SENTENCE), "duration": SENTENCE_SECONDS}
        (take, arrived), *_ = self._ask("sample", "take", fields, {})
        return take, arrived - begun

    def _frames(self, cost: Cost, fields: dict, arrays: dict) -> Cost:
        begun = time.perf_counter()
        fields = fields | {"resolution": min(RESOLUTIONS)}
        frames = self._ask("surfaces", "surface", fields, arrays | {"times": np.array(TIMES)})
        (message, first), arrived = frames[0], [moment for _, moment in frames]
        frame = (arrived[-1] - first) / (len(arrived) - 1)  # on average: each core makes frames of its own
        size = BYTES_PER_VERTEX * len(message.arrays["vertices"])
        return replace(cost, frame=frame, size=size, base=max(first - begun - frame, 0.0))

    def _keys(self, cost: Cost, kind: str, fields: dict, arrays: dict) -> Cost:
        """Of as many keys as the sentence has codes, or all for ARKit's weights, which are the same for every sound."""
        begun = time.perf_counter()
        keys = self._ask(kind, "positions", fields, arrays)
        first, last = keys[0][1], keys[-1][1]
        if kind == "arkit_shapes":
            return replace(cost, base=last - begun)
        frame = (last - first) / max(len(keys) - 1, 1)
        return replace(cost, frame=frame, base=max(first - begun - frame, 0.0))

    def _ask(self, kind: str, wanted: str, fields: dict, arrays: dict) -> list[tuple[Message, float]]:
        """Answers of the wanted kind, and when they came."""
        self._client.request(kind, self._common | fields, arrays)
        found = []
        while True:
            self.check_cancelled()
            message = self._client.wait(POLL_SECONDS)
            if message is None:
                continue
            if message.kind == wanted:
                found.append((message, time.perf_counter()))
            elif message.kind == "error":
                raise EngineError(failure(message))
            elif message.kind in FINAL_KINDS:
                return found
