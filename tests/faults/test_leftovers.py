"""Names, locks and leftovers: nothing that a system reserves, nothing done twice at once, nothing left behind."""

import inspect
import os
import queue
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from blender_scene import write_wav
from fault_counts import amount, count
from repository import HELPERS, ROOT, import_from_extension

from engine.shared.files import locked, reserved_name

EngineError = import_from_extension("engine.shared.errors").EngineError
RUNNER = """
import sys
sys.path.insert(0, sys.argv[1])
from repository import SCRIPTED_ENGINE, import_from_extension
import_from_extension("facetalk_blender.generation.session").session.engine_root = SCRIPTED_ENGINE
command = import_from_extension("facetalk_blender.unattended.command")
command.leave(command.main(sys.argv[2:]))
"""
# Sends itself a signal in a line of a function, where this holds a lock.
SIGNALLER = """
import signal, sys
def signal_in(frame, event, argument):
    if event == "line" and frame.f_lineno - frame.f_code.co_firstlineno == LINE:
        sys.settrace(None)
        frame.f_trace = None
        print("sent", flush=True)
        signal.raise_signal(signal.SIGTERM)
    return signal_in
def trace(frame, event, argument):
    return signal_in if frame.f_code.co_qualname == FUNCTION else None
sys.settrace(trace)
"""


@pytest.mark.parametrize("name", ["CON", "nul", "Com1", "LPT9.json", "aux.old.json", "prn ", "COM¹"])
def test_names_that_windows_takes_for_devices(name, tmp_path):
    assert reserved_name(name)
    presets = import_from_extension("facetalk_blender.outputs.curves.presets")
    with pytest.raises(EngineError, match="choose another name"):
        presets.preset_path(tmp_path, name)


@pytest.mark.parametrize("name", ["Console", "null", "COM10", "my con", "face"])
def test_other_names(name):
    assert not reserved_name(name)


def test_a_lock_is_held_by_one(tmp_path):
    with locked(tmp_path / "lock"), pytest.raises(BlockingIOError), locked(tmp_path / "lock"):
        pass
    with locked(tmp_path / "lock"):
        pass


def test_two_installations_at_once(tmp_path):
    installation = import_from_extension("facetalk_blender.engine_access.installation")
    with locked(tmp_path / ".cp311.lock"):
        task = installation.RuntimeInstallation(tmp_path / "cp311", [], tmp_path, ROOT)
        task.start()
        task.wait()
    assert "Another Blender" in task.error


def start_run(folder, *options, runner=RUNNER):
    write_wav(folder / "voice.wav", 3.0)
    words = ["--audio", folder / "voice.wav", "--output", folder / "x.mp4", "--bundle", "slow", "--size", "32x32"]
    command = [sys.executable, "-c", runner, str(HELPERS), *map(str, words), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize(
    ("function", "with_lock"),
    [
        (subprocess.Popen._internal_poll, "_waitpid(self.pid"),
        (ThreadPoolExecutor.submit, "_base.Future()"),
        (queue.Queue.get, "self._get()"),
    ],
)
def test_a_signal_while_a_lock_is_held(function, with_lock, tmp_path):
    lines, _ = inspect.getsourcelines(function)
    line = next(number for number, text in enumerate(lines) if with_lock in text)
    signaller = SIGNALLER.replace("LINE", str(line)).replace("FUNCTION", repr(function.__qualname__))
    run = start_run(tmp_path, runner=RUNNER.replace("command.leave(", f"{signaller}\ncommand.leave("))
    output, errors = run.communicate(timeout=120)
    assert b"sent" in output and b"Interrupted" in errors
    assert run.returncode == 130


@pytest.mark.slow
def test_signals_at_any_moment(tmp_path):
    """Killed, ended or interrupted at random moments: the next run leaves nothing of the earlier ones."""
    import random

    moments = random.Random(4)
    kills = amount(4, 200)
    for number in range(kills):
        sent = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)[number % 3]
        run = start_run(tmp_path)
        while b"FaceTalk" not in run.stdout.readline():
            assert run.poll() is None
        time.sleep(moments.uniform(0.0, 2.5))
        run.send_signal(sent)
        code = run.wait(120)  # a busy machine is slow to end Blender
        assert code == (-signal.SIGKILL if sent == signal.SIGKILL else 130), (number, code, run.stderr.read())
        run.stdout.close(), run.stderr.close()
        left = {path.name for path in tmp_path.iterdir()} - {"voice.wav"}
        if sent != signal.SIGKILL:
            assert all(name.startswith(".facetalk-") for name in left)
    last = start_run(tmp_path, "--frames", "1:2")
    last.communicate(timeout=120)
    assert last.returncode == 0
    assert {path.name for path in tmp_path.iterdir()} == {"voice.wav", "x.mp4"}
    count(f"batch runs ended at random moments: {kills}, of which {-(-kills // 3)} killed; nothing was left behind")


@pytest.mark.slow
def test_the_engine_leaves_nothing_in_the_temporary_folder(tmp_path):
    client_module = import_from_extension("facetalk_blender.engine_access.client")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from repository import ROOT, import_from_extension\n"
        "client = import_from_extension('facetalk_blender.engine_access.client').EngineClient(sys.executable, ROOT)\n"
        "client.start()\n"
        "client.request('sample', {'audio': str(ROOT / 'demo' / 'voice.wav'), 'duration': 0.2})\n"
        "while (m := client.wait(100)).kind not in ('done', 'error'): pass\n"
        "print(m.kind); client.stop()\n"
    )
    assert client_module.FINAL_KINDS
    folder = tmp_path / "temporary"
    folder.mkdir()
    environment = os.environ | {"TMPDIR": str(folder)}
    run = subprocess.run(
        [sys.executable, "-c", code, HELPERS], env=environment, capture_output=True, text=True, timeout=300
    )
    assert run.stdout.strip() == "done", run.stderr
    assert list(folder.iterdir()) == []
