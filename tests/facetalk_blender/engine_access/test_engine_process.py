"""The engine process through the client that Blender uses: errors, cancelling, dying, and nothing left behind."""

import os
import signal
import subprocess
import sys
import time

import pytest
from repository import HELPERS, ROOT, import_from_extension

EngineClient = import_from_extension("facetalk_blender.engine_access.client").EngineClient
WAIT = 120.0


@pytest.fixture
def client():
    client = EngineClient(sys.executable, ROOT)
    client.start()
    yield client
    client.stop()
    assert not client.alive


def finish(client, request):
    """All messages of a request up to its final one."""
    messages = []
    deadline = time.monotonic() + WAIT
    while time.monotonic() < deadline:
        message = client.wait(1.0)
        if message is not None and message.request == request:
            messages.append(message)
            if message.kind in ("done", "cancelled", "error"):
                return messages
    raise AssertionError(f"no final message within {WAIT} s; got {[m.kind for m in messages]}")


def process_ended(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return True
    return False


def test_an_unknown_request_is_an_error_and_the_process_lives(client):
    (answer,) = finish(client, client.request("juggle", {}))
    assert answer.kind == "error"
    assert "juggle" in answer.fields["message"]
    assert client.alive


def test_a_missing_recording_is_one_clear_sentence(client, tmp_path):
    *_, answer = finish(client, client.request("sample", {"audio": str(tmp_path / "none.wav")}))
    assert answer.kind == "error"
    assert "none.wav" in answer.fields["message"]
    assert "\n" not in answer.fields["message"]
    assert client.alive


@pytest.mark.slow
def test_a_request_cancelled_before_it_starts_is_cancelled(client):
    first = client.request("info", {})
    second = client.request("info", {})
    client.cancel(second)
    assert finish(client, first)[-1].kind == "done"
    assert finish(client, second)[-1].kind == "cancelled"


@pytest.mark.slow
def test_a_killed_process_is_reported_for_every_open_request(client):
    first, second = client.request("info", {}), client.request("info", {})
    os.kill(client._process.pid, signal.SIGKILL)
    seen = set()
    while seen != {first, second}:
        message = client.wait(WAIT)
        assert message is not None
        if message.kind == "error":
            text = message.fields["message"]
            assert "ended unexpectedly" in text
            assert text.endswith("; start the job again, at a lower resolution if memory ran out.")
            seen.add(message.request)
    client.start()
    assert finish(client, client.request("info", {}))[-1].kind == "done"


def test_a_malformed_message_ends_the_process_with_a_reason(client):
    request = client.request("info", {})
    client._process.stdin.write(b"nonsense that is long enough")
    client._process.stdin.flush()
    answer = finish(client, request)[-1]
    assert answer.kind == "done" or "malformed" in answer.fields["message"]
    client._process.wait(WAIT)
    assert client._process.returncode == 3


@pytest.mark.slow
def test_the_process_ends_when_its_owner_dies(tmp_path):
    script = tmp_path / "owner.py"
    script.write_text(
        "import sys, time\n"
        f"sys.path.insert(0, {str(HELPERS)!r})\n"
        "from repository import ROOT, import_from_extension\n"
        "client = import_from_extension('facetalk_blender.engine_access.client').EngineClient(sys.executable, ROOT)\n"
        "client.start()\n"
        "print(client._process.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    owner = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    engine = int(owner.stdout.readline())
    owner.kill()
    owner.wait()
    deadline = time.monotonic() + WAIT
    while not process_ended(engine) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert process_ended(engine)


def test_an_interpreter_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(OSError):
        EngineClient(str(tmp_path / "python"), ROOT).start()
