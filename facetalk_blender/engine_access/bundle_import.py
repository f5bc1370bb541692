"""Adds a model bundle in the background: the engine's own Python reads and writes the files. No bpy here."""

from __future__ import annotations

from pathlib import Path

from ...engine.shared.errors import Cancelled, EngineError
from ...engine.shared.protocol import FINAL_KINDS, Message
from .background_task import POLL_SECONDS, BackgroundTask
from .client import EngineClient
from .runtime import Runtime


class BundleImport(BackgroundTask):
    """Makes a bundle of an official model's files, or looks at a finished bundle.

    `information` is the engine's answer about the bundle and `folder` its place, once it has ended without `error`.
    """

    def __init__(self, runtime: Runtime, engine_parent_folder: Path, source: Path, output: Path, anchors: str = ""):
        """source: what the user chose; output: folder of the bundle to make; anchors: file of mean anchors, or ""."""
        super().__init__()
        self.text = "Starting the engine"
        self.information: dict = {}
        self.folder = ""
        self._runtime = runtime
        self._engine_parent_folder = engine_parent_folder
        self._fields = {"model": "auto", "sources": [str(source)], "output": str(output), "anchors": anchors or None}

    def work(self) -> None:
        """Ask a fresh engine and follow its answers."""
        client = EngineClient(self._runtime.python, self._engine_parent_folder, self._runtime.library_folders)
        try:
            client.start()
        except OSError as error:
            raise EngineError("The engine's Python could not be started; check it in the preferences.") from error
        try:
            request = client.request("import", self._fields)
            while True:
                message = client.wait(POLL_SECONDS)
                if self._cancelling.is_set():
                    client.cancel(request)  # the engine removes what it has begun before it answers
                if message is not None and self._has_ended(message):
                    return
        finally:
            client.stop()

    def _has_ended(self, message: Message) -> bool:
        if message.kind == "progress":
            self.text, self.fraction = str(message.fields["stage"]), float(message.fields["fraction"])
        elif message.kind == "info":
            self.information, self.folder = message.fields, str(message.fields["folder"])
        elif message.kind == "cancelled":
            raise Cancelled
        elif message.kind == "error":
            raise EngineError(str(message.fields.get("message", "The engine failed without a reason.")))
        return message.kind in FINAL_KINDS
