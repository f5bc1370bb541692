"""The engine process as Blender sees it: start, ask, receive, cancel, stop.

No bpy here: threads move messages to and from queues, which Blender's main thread polls. Whatever becomes of the
process, every request ends: with its last message, or with an error or "cancelled" in its place.
"""

from __future__ import annotations

import atexit
import subprocess
import time
from collections import deque
from pathlib import Path

from ...engine.shared import __version__
from ...engine.shared.options import TABLES_FOLDER
from ...engine.shared.protocol import FINAL_KINDS, Message
from .connection import Connection
from .programs import engine_environment, python_command

WAIT_STEP = 0.1
# How long a cancelled request may go on: in silence, or with signs of life, as when a model is being loaded.
SILENT_CANCEL_SECONDS, CANCEL_SECONDS = 3.0, 20.0
STOPPED = "The engine was stopped; start the job again."


class EngineClient:
    """One engine process and its conversation.

    python_executable: an interpreter that can import torch.
    engine_parent_folder: the folder that holds the `engine` package.
    library_folders: folders with more Python packages (the extension's wheels).
    """

    def __init__(
        self,
        python_executable: str,
        engine_parent_folder: Path,
        library_folders: tuple[str, ...] = (),
        tables_folder: Path | None = None,
    ):
        """tables_folder: where the engine keeps what makes heads it has seen faster."""
        self._folder = Path(engine_parent_folder).absolute()
        folders = (str(self._folder), *library_folders)
        self._command = python_command(python_executable, "engine.process", folders=folders)
        self._variables = {} if tables_folder is None else {TABLES_FOLDER: str(tables_folder)}
        self._connection: Connection | None = None
        self._open: dict[int, Message] = {}
        self._cancelled: dict[int, float] = {}  # requests that are not answered yet, and when they were cancelled
        self._endings: deque[Message] = deque()
        self._next_request = 1

    @property
    def alive(self) -> bool:
        """Whether the engine process runs."""
        return self._connection is not None and self._connection.alive

    @property
    def _process(self) -> subprocess.Popen | None:
        return None if self._connection is None else self._connection.process

    @property
    def silent_seconds(self) -> float:
        """How long nothing has been heard of the engine while it was waited for."""
        return 0.0 if self._connection is None else self._connection.silent_seconds

    def start_left(self, seconds: float) -> float:
        """How many of the seconds that its start takes are still to come: none once it has sent a take.

        seconds: from the start of the process to the first take, beyond what the take itself needs.
        """
        if not self.alive:
            return seconds
        return 0.0 if self._connection.warm else max(seconds - self._connection.age, 0.0)

    def start(self) -> None:
        """Start the process; does nothing while one runs. Raises OSError when the interpreter cannot be started."""
        if self.alive:
            return
        self.stop()
        self._open.clear()
        self._connect()

    def request(self, kind: str, fields: dict, arrays: dict | None = None) -> int:
        """Send a request and return its number; the answers carry the same number.

        A process that has ended meanwhile is told by an error that answers it. Never blocks.
        """
        number = self._next_request
        self._next_request += 1
        self._open[number] = Message(kind, number, fields, arrays or {})
        if self._connection is not None:
            self._connection.send(self._open[number])
        return number

    def poll(self) -> Message | None:
        """The next message, or None when none waits. Never blocks."""
        return self._take(0.0)

    def wait(self, timeout: float) -> Message | None:
        """The next message, or None after `timeout` seconds. For background mode."""
        deadline = time.monotonic() + timeout
        while (message := self._take(WAIT_STEP)) is None and (left := deadline - time.monotonic()) > 0:
            if not self.alive:
                time.sleep(min(left, WAIT_STEP))
        return message

    def cancel(self, request: int) -> None:
        """Ask the engine to drop a request; it answers "cancelled" before its next step or frame.

        If it does not, it is ended, and what else was asked is asked of a fresh one.
        """
        if request not in self._open or request in self._cancelled or self._connection is None:
            return
        self._cancelled[request] = time.monotonic()
        self._connection.drop(request)
        self._connection.send(Message("cancel", request))

    def stop(self) -> None:
        """End the process now and forget what it has not delivered."""
        connection, self._connection = self._connection, None
        self._cancelled.clear()
        self._endings.clear()
        atexit.unregister(self.stop)
        if connection is not None:
            connection.end()

    def _connect(self) -> None:
        self._connection = Connection(self._command, self._folder, engine_environment() | self._variables)
        atexit.register(self.stop)

    def _take(self, seconds: float) -> Message | None:
        connection = self._connection
        if self._endings:
            return self._endings.popleft()
        if connection is None:
            return self._failure(STOPPED)
        death = connection.death  # read first: what had come before it is in the queue then
        message = connection.next(seconds)
        if message is not None:
            return self._received(message)
        if death:
            return self._failure(death)
        connection.watch()
        if self._deaf(connection):
            self._renew()
        return None

    def _failure(self, text: str) -> Message | None:
        """The end of a request that nobody will answer."""
        for number in self._open:
            return self._received(Message("error", number, {"message": text}))
        return None

    def _received(self, message: Message) -> Message:
        version = message.fields.get("version", __version__) if message.kind == "info" else __version__
        if version != __version__:
            # The extension was updated while Blender ran: the old half is loaded, the new one lies on disk.
            self.stop()
            text = f"The engine has version {version}, the extension {__version__}; restart Blender."
            message = Message("error", message.request, {"message": text})
        if message.kind in FINAL_KINDS:
            self._open.pop(message.request, None)
            self._cancelled.pop(message.request, None)
        return message

    def _deaf(self, connection: Connection) -> bool:
        """Whether the engine should have ended a cancelled request long ago."""
        now = time.monotonic()
        silent = now - connection.heard_at > SILENT_CANCEL_SECONDS
        limit = SILENT_CANCEL_SECONDS if silent else CANCEL_SECONDS
        return any(now - begin > limit for begin in self._cancelled.values())

    def _renew(self) -> None:
        """End a deaf engine and have a fresh one do what it was asked besides."""
        cancelled = list(self._cancelled)
        self.stop()
        for number in cancelled:
            self._open.pop(number, None)
            self._endings.append(Message("cancelled", number))
        if self._open:
            self._connect()
            for message in self._open.values():
                self._connection.send(message)
