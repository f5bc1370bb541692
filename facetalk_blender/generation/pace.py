"""How quick the engine is on this computer, measured once, so that the first promise of the panel holds.

A process of its own speaks the built-in sentence at the lowest resolution, some frames of it, and shows nothing. The
warm engine is not touched, and nothing of Blender's is.
"""

from __future__ import annotations

import time
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

WARM_UP_SECONDS = 0.2  # of the sentence, spoken first while the networks load
TIMES = tuple(0.9 + number / 24 for number in range(7))  # seconds of the sentence: the mouth opens and closes
POLL_SECONDS = 0.1


class PaceMeasurement(BackgroundTask):
    """Measures; `cost` is the engine's part of Frame Meshes of the lowest resolution, once it has ended well."""

    def __init__(self, runtime: Runtime, engine_root: Path, bundle: str, device: str):
        super().__init__()
        self.text = "Measuring how quick this computer is"
        self.cost: Cost | None = None
        self._client = EngineClient(runtime.python, engine_root, runtime.library_folders)
        self._common = {"bundle": bundle, "device": device}

    def work(self) -> None:
        """Speak. Raises EngineError when the engine cannot, OSError when it cannot be started."""
        try:
            self._client.start()
            begun = time.perf_counter()
            self._sample(WARM_UP_SECONDS)
            start = time.perf_counter() - begun
            codes, rate, seconds = self._sample(SENTENCE_SECONDS)
            self.cost = self._surfaces(codes, rate, start, seconds / SENTENCE_SECONDS)
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise EngineError(f"The engine sent an unusable answer ({error}); check that it fits.") from error
        finally:
            self._client.stop()

    def _sample(self, duration: float) -> tuple:
        """Codes (N, D), their rate and how many seconds that took."""
        begun = time.perf_counter()
        (take, arrived), *_ = self._ask("sample", "take", {"audio": str(SENTENCE), "duration": duration}, {})
        return take.arrays["codes"], take.fields["rate"], arrived - begun

    def _surfaces(self, codes, rate: float, start: float, sampling: float) -> Cost:
        begun = time.perf_counter()
        fields = {"rate": rate, "resolution": min(RESOLUTIONS)}
        arrays = {"codes": codes, "times": np.array(TIMES)}
        frames = self._ask("surfaces", "surface", fields, arrays)
        (message, first), arrived = frames[0], [moment for _, moment in frames]
        frame = float(np.median(np.diff(arrived)))  # other programs slow some of them down
        size = BYTES_PER_VERTEX * len(message.arrays["vertices"])
        return Cost(start, sampling, frame, size, max(first - begun - frame, 0.0))

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
