"""Benchmarks start, and what they share counts and prints what it says."""

import subprocess
import sys
import time

import pytest
from repository import ROOT

from benchmarks import measuring

BENCHMARKS = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py") if path.stem != "measuring")


def run(name: str, *options: str) -> str:
    """What a benchmark prints."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *options]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert shown.returncode == 0, shown.stderr
    return shown.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_explains_itself(name):
    assert run(name, "--help").startswith("usage")


@pytest.mark.slow
def test_every_stage_of_a_replayed_generation_is_measured():
    text = run("streaming", "--frames", "4", "--vertices", "500", "--outputs", "FRAME_MESHES")
    assert "medians of the ticks of one run" in text
    assert "| SURFACES frames |" in text


def test_waiting_takes_wall_time_and_no_processor():
    wall, cpu = measuring.seconds_of(lambda: time.sleep(0.2))
    assert wall >= 0.2
    assert cpu < 0.1


def test_the_first_of_several_calls_does_not_count():
    calls = []

    def call():
        calls.append(None)
        time.sleep(0.5 if len(calls) == 1 else 0.0)

    wall, _ = measuring.median_seconds(call, 3)
    assert len(calls) == 4
    assert wall < 0.5


def test_the_spread_of_values():
    assert measuring.spread([3.0, 1.0, 2.0]) == "2 (1 to 3)"


def test_conditions_name_the_machine_threads_and_runs():
    text = measuring.conditions(2, "5 runs")
    assert "cores" in text
    assert "torch" in text
    assert text.endswith("threads: 2; medians of 5 runs")
    assert "threads" not in measuring.conditions(None, "5 runs")


def test_a_table_stands_under_its_title(capsys):
    measuring.print_table("Stages", ["stage", "seconds"], [["one", "2"]])
    assert capsys.readouterr().out == "\nStages\n\n| stage | seconds |\n|---|---|\n| one | 2 |\n"
