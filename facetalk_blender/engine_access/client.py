"""The engine process as Blender sees it: start, ask, receive, cancel, stop.

No bpy here: the reader threads only move messages into a queue, which Blender's main thread polls.
"""

from __future__ import annotations

import atexit
import queue
import subprocess
import threading
from collections import deque
from pathlib import Path

from ...engine.shared import __version__
from ...engine.shared.protocol import Message, ProtocolError, read_message, write_message
from .programs import engine_environment, python_command

# The reader stops taking frames while this many wait, so a slow consumer slows the engine instead of filling memory.
QUEUED_MESSAGES = 16
FINAL_KINDS = ("done", "cancelled", "error")


class EngineClient:
    """One engine process and its conversation.

    python_executable: an interpreter that can import torch.
    engine_parent_folder: the folder that holds the `engine` package.
    library_folders: folders with more Python packages (the extension's wheels).
    """

    def __init__(self, python_executable: str, engine_parent_folder: Path, library_folders: tuple[str, ...] = ()):
        self._python_executable = python_executable
        self._folder = Path(engine_parent_folder)
        self._package_folders = (str(self._folder.absolute()), *library_folders)
        self._process: subprocess.Popen | None = None
        self._messages: queue.Queue[Message] = queue.Queue(QUEUED_MESSAGES)
        self._standard_error: deque[str] = deque(maxlen=40)
        self._open_requests: set[int] = set()
        self._next_request = 1
        self._stopping = threading.Event()

    @property
    def alive(self) -> bool:
        """Whether the engine process runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process; does nothing while one runs. Raises OSError when the interpreter cannot be started."""
        if self.alive:
            return
        self._messages = queue.Queue(QUEUED_MESSAGES)
        self._standard_error.clear()
        self._open_requests.clear()
        self._stopping = threading.Event()
        self._process = subprocess.Popen(
            python_command(self._python_executable, "engine.process", folders=self._package_folders),
            cwd=self._folder,
            env=engine_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        arguments = (self._process, self._messages, self._stopping)
        self._error_reader = threading.Thread(target=self._read_standard_error, args=(self._process,), daemon=True)
        self._error_reader.start()
        threading.Thread(target=self._read_messages, args=arguments, daemon=True).start()
        atexit.register(self.stop)

    def request(self, kind: str, fields: dict, arrays: dict | None = None) -> int:
        """Send a request and return its number; the answers carry the same number."""
        number = self._next_request
        self._next_request += 1
        self._open_requests.add(number)
        self._send(Message(kind, number, fields, arrays or {}))
        return number

    def poll(self) -> Message | None:
        """The next message, or None when none waits. Never blocks."""
        try:
            return self._received(self._messages.get_nowait())
        except queue.Empty:
            return None

    def wait(self, timeout: float) -> Message | None:
        """The next message, or None after `timeout` seconds. For background mode."""
        try:
            return self._received(self._messages.get(timeout=timeout))
        except queue.Empty:
            return None

    def cancel(self, request: int) -> None:
        """Ask the engine to drop a request; it answers "cancelled" before its next step or frame."""
        self._send(Message("cancel", request))

    def stop(self) -> None:
        """End the process now and forget what it has not delivered."""
        process, self._process = self._process, None
        self._stopping.set()
        atexit.unregister(self.stop)
        if process is None:
            return
        process.kill()
        process.wait()

    def _send(self, message: Message) -> None:
        try:
            if self._process is not None:
                write_message(self._process.stdin, message)
        except OSError:
            # The process has died; the reader thread reports that with the reason.
            pass

    def _received(self, message: Message) -> Message:
        version = message.fields.get("version", __version__) if message.kind == "info" else __version__
        if version != __version__:
            # The extension was updated while Blender ran: the old half is loaded, the new one lies on disk.
            self.stop()
            text = f"The engine has version {version}, the extension {__version__}; restart Blender."
            message = Message("error", message.request, {"message": text})
        if message.kind in FINAL_KINDS:
            self._open_requests.discard(message.request)
        return message

    def _read_messages(self, process: subprocess.Popen, messages: queue.Queue, stopping: threading.Event) -> None:
        reason = ""
        try:
            while (message := read_message(process.stdout)) is not None:
                if not _put_unless_stopping(messages, message, stopping):
                    return
        except (ProtocolError, ValueError, OSError) as error:
            reason = str(error)
            process.kill()
        if stopping.is_set():
            return
        text = self._death_message(process.wait(), reason)
        for number in sorted(self._open_requests):
            _put_unless_stopping(messages, Message("error", number, {"message": text}), stopping)

    def _read_standard_error(self, process: subprocess.Popen) -> None:
        for line in process.stderr:
            self._standard_error.append(line.decode("utf-8", "replace").rstrip())

    def _death_message(self, exit_code: int, reason: str) -> str:
        self._error_reader.join(timeout=1.0)
        detail = reason or next((line for line in reversed(self._standard_error) if line.strip()), "")
        if detail.startswith("ModuleNotFoundError"):
            return f"The engine's packages do not load ({detail}); install the engine runtime in the preferences."
        text = f"The engine process ended unexpectedly (exit code {exit_code})"
        if detail:
            text += f": {detail.rstrip('.')}"
        return f"{text}; start the job again, at a lower resolution if memory ran out."


def _put_unless_stopping(messages: queue.Queue, message: Message, stopping: threading.Event) -> bool:
    while not stopping.is_set():
        try:
            messages.put(message, timeout=0.2)
            return True
        except queue.Full:
            continue
    return False
