"""What a job costs, and what a second worker gains: `python -m benchmarks.farm`.

Jobs that only wait show the scheduling alone, whatever else the machine does; takes of the demo's sentence show real
work, for which the machine should be quiet.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from farm.job import Job
from farm.run import Place, run_jobs
from farm.takes import sample_take

ROOT = Path(__file__).resolve().parents[1]
WAITING, SECONDS, TAKES = 200, 0.1, 8


def wait(job: Job) -> None:
    """Do nothing for the job's seconds, then make its output."""
    time.sleep(job.settings["seconds"])
    job.outputs[0].touch()


def main() -> None:
    """Print seconds of each run, the overhead of a job and the gain of two workers."""
    parser = argparse.ArgumentParser("python -m benchmarks.farm", description=__doc__)
    parser.add_argument("--waiting", type=int, default=WAITING, help="jobs that wait (default: %(default)s)")
    parser.add_argument("--takes", type=int, default=TAKES, help="takes (default: %(default)s)")
    options = parser.parse_args()
    voice = ROOT / "demo" / "voice.wav"
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        for name, function, jobs in (
            ("waiting", wait, [(f"{n}.txt", {"seconds": SECONDS}) for n in range(options.waiting)]),
            ("takes", sample_take, [(f"{n}.npz", {"audio": str(voice), "seed": n}) for n in range(options.takes)]),
        ):
            if not jobs:
                continue
            seconds = {workers: _timed(function, jobs, folder / f"{name}{workers}", workers) for workers in (1, 2)}
            print(f"{name}: {seconds[1]:.2f} s alone, {seconds[2]:.2f} s with two workers, ", end="")
            print(f"{seconds[1] / seconds[2]:.2f} times as fast")
            if name == "waiting":
                busy = options.waiting * SECONDS / 2
                print(f"overhead of a job: {1000 * (seconds[2] - busy) * 2 / options.waiting:.1f} ms of its worker")


def _timed(function, jobs: list[tuple[str, dict]], folder: Path, workers: int) -> float:
    """Seconds between the first job's end and the last one's, as a share of all jobs: without the start of workers."""
    ends: list[float] = []
    made = [Job(name, (folder / name,), settings=settings) for name, settings in jobs]
    outcome = run_jobs(
        function, made, Place(workers=workers), say=lambda text: ends.append(time.monotonic()) if "[" in text else None
    )
    outcome.require()
    skipped = workers  # the first job of each worker loads what the later ones keep
    return (ends[-1] - ends[skipped - 1]) * len(jobs) / (len(jobs) - skipped)


if __name__ == "__main__":
    main()
