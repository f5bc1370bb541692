"""Finding and checking the Python that runs the engine."""

import sys

import pytest
from package_index import write_engine
from repository import ROOT, import_from_extension

runtime = import_from_extension("facetalk_blender.engine_access.runtime")
EngineError = import_from_extension("engine.shared.errors").EngineError
OWN = runtime.Runtime(sys.executable, (), runtime.OWN)


def test_a_named_python_is_taken_or_refused(tmp_path):
    assert runtime.find_runtime(sys.executable, tmp_path, OWN).source == runtime.NAMED
    for named in (str(tmp_path / "nothing"), str(tmp_path)):
        with pytest.raises(EngineError, match="check it in the preferences"):
            runtime.find_runtime(named, tmp_path, OWN)


def check(python, engine_folder):
    run = runtime.EngineCheck(runtime.Runtime(python, (), runtime.NAMED), engine_folder, "starter", "cpu")
    run.start()
    run.wait()
    return run


def test_an_engine_of_another_version_is_named(tmp_path):
    run = check(sys.executable, write_engine(tmp_path, "99.0"))
    assert "install them" in run.problem
    assert "example-torch missing" in "\n".join(run.report)
    other = tmp_path / "engine" / "check.py"
    other.write_text(other.read_text().replace('packages[name] = "missing"', 'packages[name] = "1.0"'))
    run = check(sys.executable, tmp_path)
    assert "version 99.0" in run.problem
    assert "restart Blender" in run.report[-1]


OTHER_PROCESS = """
import importlib.util, sys
specification = importlib.util.spec_from_file_location("protocol", PROTOCOL)
protocol = sys.modules["protocol"] = importlib.util.module_from_spec(specification)
specification.loader.exec_module(protocol)
request = protocol.read_message(sys.stdin.buffer)
CHANGE
protocol.write_message(sys.stdout.buffer, protocol.Message("info", request.request, {"version": "99.0"}))
protocol.write_message(sys.stdout.buffer, protocol.Message("done", request.request))
sys.stdin.buffer.read()
"""


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("", "engine has version 99.0, the extension"),
        ('protocol.MAGIC = b"FTK9"', "different versions; restart Blender"),
        ("import package_that_is_not_there", "install the engine runtime"),
    ],
)
def test_an_engine_process_that_does_not_fit_says_so(tmp_path, change, reason):
    folder = write_engine(tmp_path, "1")
    text = OTHER_PROCESS.replace("PROTOCOL", repr(str(ROOT / "engine" / "shared" / "protocol.py"))).replace(
        "CHANGE", change
    )
    (folder / "engine" / "process.py").write_text(text)
    client = import_from_extension("facetalk_blender.engine_access.client").EngineClient(sys.executable, folder)
    client.start()
    client.request("info", {})
    message = client.wait(60)
    client.stop()
    assert message.kind == "error"
    assert reason in message.fields["message"]


def test_what_is_no_python_is_named(tmp_path):
    assert "cannot run the engine" in check("/bin/false", tmp_path).error
    assert "cannot be started" in check(str(tmp_path / "nothing"), tmp_path).error


@pytest.mark.slow
def test_the_real_engine_reports_itself():
    run = check(sys.executable, ROOT)
    pytest.importorskip("torch")
    assert run.error == run.problem == ""
    assert any(line.startswith("Packages: torch ") for line in run.report)


def test_the_report_says_what_captures_from_video_lack():
    facts = {"executable": "/usr/bin/python3", "optional": {"mediapipe": "missing", "av": "1.0"}}
    line = runtime._capture_line(facts)
    assert line == "Capture from Video: lacks mediapipe; /usr/bin/python3 -m pip install mediapipe"
    facts["optional"]["mediapipe"] = "2.0"
    assert runtime._capture_line(facts) == "Capture from Video: mediapipe 2.0, av 1.0"
