"""What lives as long as the extension is enabled, and is saved nowhere: the warm engine and the work under way."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bpy

from ..engine_access.background_task import BackgroundTask
from ..engine_access.bundle_import import BundleImport
from ..engine_access.client import EngineClient
from ..engine_access.runtime import OWN, EngineCheck, Runtime, find_runtime
from ..extension import user_folder, wheel_folders
from ..outputs.frames.frame_storage import MISSING_FRAMES
from ..outputs.frames.unused_frames import LIKELY
from ..sound.digest import DIGESTS
from ..sound.packed import CONTENTS
from .costs import Costs
from .head_request import HeadRequest
from .job import Job, State

ENGINE_ROOT = Path(__file__).resolve().parents[2]  # in which the package `engine` lies
CACHES = (DIGESTS, CONTENTS, MISSING_FRAMES, LIKELY)  # what lower floors remember of files


@dataclass(frozen=True)
class EngineChoice:
    """Which Python runs the engine ("": see `Session.runtime`), on which device, with which model bundle."""

    python: str
    device: str
    bundle: str


@dataclass
class PreviewState:
    """Of the preview of a head. problem: why the last one failed, for the panel.

    due: when the engine is asked, on time.monotonic's clock; scene_name: for which scene; choose: which engine.
    """

    problem: str = ""
    due: float = 0.0
    scene_name: str = ""
    choose: Callable[[bpy.types.Context], EngineChoice] | None = None


class Session:
    """The one place for what is remembered between two calls from Blender.

    job: the generation or conversion under way, or the last one. engine_task: the installation or check of the engine
    under way, or the last one; bundle_import: the same of a model bundle, person_library of an asset library.
    question: to the engine about a head.
    pace: how quick the engine is, being measured or measured; looked_at: which engine was checked on its own.
    """

    def __init__(self):
        self.engine_root = ENGINE_ROOT
        self.costs = Costs()
        self._client: EngineClient | None = None
        self._client_runtime: Runtime | None = None
        self._begin()

    def _begin(self) -> None:
        self.job: Job | None = None
        self.engine_task: BackgroundTask | None = None
        self.bundle_import: BundleImport | None = None
        self.person_library: BackgroundTask | None = None
        self.question: HeadRequest | None = None
        self.preview = PreviewState()
        self.pace: BackgroundTask | None = None
        self.looked_at: EngineChoice | None = None
        self._refusal = ""

    def clear(self) -> None:
        """End everything and forget it: the extension is disabled."""
        self.end_job()
        self.set_engine_task(None)
        self.set_bundle_import(None)
        self.set_person_library(None)
        self.set_pace(None)
        self.stop_engine()
        self.costs.clear()
        for cache in CACHES:
            cache.clear()
        self._begin()

    def runtime(self, engine_python: str = "") -> Runtime:
        """The Python that runs the engine.

        engine_python: the one to take; empty takes the installed runtime, else Blender's own with the extension's
        wheels. Raises EngineError when the named one is not there.
        """
        own = Runtime(sys.executable, wheel_folders(), OWN)
        return find_runtime(engine_python, user_folder("runtime"), own)

    def client(self, engine_python: str = "") -> EngineClient:
        """The warm engine, started anew when the runtime has changed. Raises EngineError as `runtime` does."""
        runtime = self.runtime(engine_python)
        if self._client is None or self._client_runtime != runtime:
            self.stop_engine()
            libraries = runtime.library_folders
            self._client = EngineClient(runtime.python, self.engine_root, libraries, user_folder("tables"))
            self._client_runtime = runtime
        return self._client

    def stop_engine(self) -> None:
        """End the engine process, if any."""
        if self._client is not None:
            self._client.stop()
        self._client = self._client_runtime = None

    def engine_alive(self) -> bool:
        """Whether an engine process runs."""
        return self._client is not None and self._client.alive

    def start_left(self, seconds: float) -> float:
        """How many of the seconds that the engine's start takes are still to come."""
        return seconds if self._client is None else self._client.start_left(seconds)

    def set_engine_task(self, new: BackgroundTask | None) -> None:
        """Make a task the current one; the one before it ends."""
        if self.engine_task is not None:
            self.engine_task.cancel()
        self.engine_task = new

    def set_pace(self, new: BackgroundTask | None) -> None:
        """Make a measurement the current one; the one before it ends."""
        if self.pace is not None:
            self.pace.cancel()
        self.pace = new

    def engine_report(self) -> list[str]:
        """Lines of the last check of the engine; empty when there was none."""
        return self.engine_task.report if isinstance(self.engine_task, EngineCheck) else []

    def set_bundle_import(self, new: BundleImport | None) -> None:
        """Make an import the current one; the one before it ends."""
        if self.bundle_import is not None:
            self.bundle_import.cancel()
        self.bundle_import = new

    def set_person_library(self, new: BackgroundTask | None) -> None:
        """Make the writing of an asset library the current one; the one before it ends."""
        if self.person_library is not None:
            self.person_library.cancel()
        self.person_library = new

    def set_job(self, new: Job) -> None:
        """Make a job the current one. Nothing is measured beside it, which would slow both down."""
        if self.pace is not None and self.pace.running:
            self.set_pace(None)
        self.job, self._refusal = new, ""

    def end_job(self) -> None:
        """Cancel the job under way, if any, and forget it."""
        if self.job is not None:
            self.job.cancel()
        self.job, self._refusal = None, ""

    def refuse(self, reason: str) -> None:
        """Keep why a job could not even begin, until the next one."""
        self._refusal = reason

    def last_error(self) -> str:
        """Why the last job failed or could not begin; empty when it went well."""
        failed = self.job is not None and self.job.state is State.FAILED
        return self._refusal or (self.job.error if failed else "")

    def busy(self) -> bool:
        """Whether a job is under way."""
        return self.job is not None and self.job.running

    def busy_reason(self) -> str:
        """Why the engine cannot be asked for something else now; empty when it can."""
        return "A head is being generated; wait for it or cancel it." if self.busy() else ""


session = Session()
