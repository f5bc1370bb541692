"""Jobs: whole results, finished ones skipped, failures in a sentence, and a killed worker's job done by another."""

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from farm_work import write_nothing, write_number

from engine.shared.errors import EngineError
from farm.job import Job, whole_folder
from farm.run import Place, run_jobs
from farm.run import _lost_connection_as_sentence as lost

ALONE = Place(workers=1)


def jobs_of(folder, count, **settings):
    return [Job(f"job {n}", (folder / f"{n}.txt",), settings={"number": n} | settings) for n in range(count)]


def test_every_job_runs_once_and_is_skipped_when_finished(tmp_path):
    said = []
    jobs = jobs_of(tmp_path / "made", 3)
    outcome = run_jobs(write_number, jobs, ALONE, say=said.append)
    assert outcome.done == ["job 0", "job 1", "job 2"]
    assert [job.outputs[0].read_text().split()[0] for job in jobs] == ["0", "1", "2"]
    assert "[3/3] job 2:" in said[-1]
    jobs[1].outputs[0].unlink()
    outcome = run_jobs(write_number, jobs, ALONE, say=said.append)
    assert (outcome.done, outcome.skipped) == (["job 1"], ["job 0", "job 2"])
    assert run_jobs(write_number, jobs, ALONE, again=True, say=said.append).skipped == []
    assert [Path(f"{job.outputs[0]}.runs").read_text() for job in jobs] == ["xx", "xxx", "xx"]


def test_a_job_with_a_newer_input_runs_again(tmp_path):
    source = tmp_path / "voice.wav"
    source.touch()
    job = Job("job", (tmp_path / "take.txt",), (source,), {"number": 1})
    assert run_jobs(write_number, [job], ALONE, say=str).done == ["job"]
    assert run_jobs(write_number, [job], ALONE, say=str).skipped == ["job"]
    later = job.outputs[0].stat().st_mtime_ns + 10**9
    os.utime(source, ns=(later, later))
    assert run_jobs(write_number, [job], ALONE, say=str).done == ["job"]


def test_a_failed_job_is_told_and_the_others_run(tmp_path):
    good, other = jobs_of(tmp_path, 2)
    bad = Job("bad", (tmp_path / "bad.txt",), settings={"reason": "The sequence is too short; record more."})
    outcome = run_jobs(write_number, [good, bad, other], ALONE, say=str)
    assert outcome.failed == {"bad": "The sequence is too short; record more."}
    assert outcome.done == ["job 0", "job 1"]
    with pytest.raises(EngineError, match=r"1 of the jobs failed, the first is bad: The sequence is too short"):
        outcome.require()
    (reason,) = run_jobs(write_nothing, [bad], ALONE, say=str).failed.values()
    assert reason == "It ended without bad.txt; run it alone to see why."


def test_two_jobs_for_one_output_are_refused(tmp_path):
    first = Job("first", (tmp_path / "same.txt",))
    with pytest.raises(EngineError, match=r"first and second both write .*same\.txt"):
        run_jobs(write_nothing, [first, Job("second", first.outputs)], ALONE)
    with pytest.raises(EngineError, match="Two jobs are called first"):
        run_jobs(write_nothing, [first, Job("first", (tmp_path / "b.txt",))], ALONE)


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "sequence"
    with whole_folder(folder) as part:
        (part / "frame_0.npz").touch()
        assert not folder.exists()
    with pytest.raises(RuntimeError), whole_folder(folder) as part:
        (part / "frame_1.npz").touch()
        raise RuntimeError
    assert [path.name for path in folder.iterdir()] == ["frame_0.npz"]
    with whole_folder(folder) as part:
        (part / "frame_2.npz").touch()
    assert [path.name for path in folder.iterdir()] == ["frame_2.npz"]
    assert [path.name for path in tmp_path.iterdir()] == ["sequence"]


@pytest.mark.slow
def test_a_killed_workers_job_is_done_by_another(tmp_path):
    pytest.importorskip("distributed")
    jobs = [*jobs_of(tmp_path, 6), Job("lost", (tmp_path / "lost.txt",), settings={"number": 7, "wait": 600})]
    killed = []

    def kill():
        begun = tmp_path / "lost.txt.begun"
        while not (begun.exists() and begun.read_text()):
            time.sleep(0.05)
        killed.append(int(begun.read_text()))
        os.kill(killed[0], signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    outcome = run_jobs(write_number, jobs, Place(workers=3), say=str)
    thread.join()
    assert sorted(outcome.done) == sorted(job.name for job in jobs)
    assert outcome.failed == {}
    number, process = (tmp_path / "lost.txt").read_text().split()
    assert number == "7"
    assert int(process) not in (killed[0], os.getpid())
    assert (tmp_path / "lost.txt.runs").read_text() == "x"


@pytest.mark.slow
def test_a_silent_scheduler_is_one_sentence(tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("farm.run.CONNECT_SECONDS", 0.5)
    with pytest.raises(EngineError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        run_jobs(write_number, jobs_of(tmp_path, 1), Place("tcp://127.0.0.1:9"))


def test_a_lost_scheduler_is_one_sentence():
    client = pytest.importorskip("distributed.client")
    with pytest.raises(EngineError, match="finished outputs stay, so run the command again"), lost():
        raise client.FutureCancelledError("key", "scheduler-connection-lost")


def test_without_dask_jobs_run_here_and_more_at_once_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("farm.run.importlib.util.find_spec", lambda _name: None)
    said = []
    assert run_jobs(write_number, jobs_of(tmp_path, 2), Place(), say=said.append).done == ["job 0", "job 1"]
    assert "no Dask" in said[0]
    with pytest.raises(EngineError, match="install it with"):
        run_jobs(write_number, jobs_of(tmp_path / "b", 2), Place(workers=2))
