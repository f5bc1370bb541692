"""Run jobs on the cores of this machine or on a Dask cluster.

Dask (https://distributed.dask.org) schedules; a job whose worker is lost runs again on another one, up to four times.
Without Dask the jobs run one after another in this process.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from engine.shared import __version__
from engine.shared.errors import EngineError
from farm.job import Job

# Called on a worker, in a process that may have run other jobs. Raises EngineError for what a person can put right.
Function = Callable[[Job], None]

CONNECT_SECONDS = 10
# On one machine a silent process is a busy one: Dask's usual 30 seconds are too short where many jobs share few cores.
# One that has died is noticed at once, by the process that started it.
PATIENCE = {
    "distributed.comm.timeouts.connect": "10 minutes",
    "distributed.comm.timeouts.tcp": "1 hour",
    "distributed.scheduler.worker-ttl": None,
}
INSTALL = "python -m pip install dask distributed bokeh"


@dataclass(frozen=True)
class Place:
    """Where jobs run: at a Dask scheduler's address; else in processes here, None for one on each core."""

    scheduler: str | None = None
    workers: int | None = None


@dataclass
class Outcome:
    """What became of the jobs: names of those done and skipped, and of failed ones with the reason in a sentence.

    seconds: of each job that was done, as its worker measured them.
    """

    done: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def require(self) -> None:
        """Raises EngineError when a job has failed."""
        if self.failed:
            name, reason = next(iter(self.failed.items()))
            raise EngineError(f"{len(self.failed)} of the jobs failed, the first is {name}: {reason}")


def add_place_options(parser: argparse.ArgumentParser) -> None:
    """Options of a command that runs jobs; `place_of` reads them."""
    parser.add_argument("--scheduler", metavar="ADDRESS", help="Dask scheduler, e.g. tcp://host:8786 (default: none)")
    parser.add_argument("--workers", type=int, help="processes on this machine (default: one for each core)")
    parser.add_argument("--again", action="store_true", help="make finished outputs again")


def place_of(options: argparse.Namespace) -> Place:
    """The place that parsed options name. Raises EngineError for both kinds at once, or no workers."""
    if options.scheduler and options.workers:
        raise EngineError("--scheduler has workers of its own; leave --workers out.")
    if options.workers is not None and options.workers < 1:
        raise EngineError("--workers must be at least 1.")
    return Place(options.scheduler, options.workers)


def run_jobs(
    function: Function, jobs: Sequence[Job], place: Place, again: bool = False, say: Callable[[str], None] = print
) -> Outcome:
    """Run every job that is not finished; a job that fails does not keep the others from running.

    function: importable by name where the workers run. again: run finished jobs, too.

    Raises EngineError when two jobs would write one file, or the workers cannot be used.
    """
    _check(jobs)
    outcome = Outcome()
    outcome.skipped = [job.name for job in jobs if job.finished and not again]
    waiting = [job for job in jobs if job.name not in set(outcome.skipped)]
    if outcome.skipped:
        say(f"{len(outcome.skipped)} of {len(jobs)} jobs are finished already")
    if not waiting:
        return outcome
    results = _with_dask if _uses_dask(place, say) else _one_by_one
    begun = time.monotonic()
    for job, seconds, problem in results(function, waiting, place, say):
        if problem is None:
            outcome.done.append(job.name)
            outcome.seconds[job.name] = seconds
        else:
            outcome.failed[job.name] = problem
        ended = len(outcome.done) + len(outcome.failed)
        left = (time.monotonic() - begun) / ended * (len(waiting) - ended)
        said = f"{seconds:.1f} s" if problem is None else f"failed: {problem}"
        say(f"[{ended}/{len(waiting)}] {job.name}: {said}" + (f", about {left:.0f} s left" if left else ""))
    return outcome


def timed(function: Function, job: Job, version: str) -> float:
    """Run a job on a worker; seconds. Raises EngineError when the worker has another version of FaceTalk."""
    if version != __version__:
        raise EngineError(f"A worker has FaceTalk {__version__} and this command {version}; update the workers.")
    for output in job.outputs:
        output.parent.mkdir(parents=True, exist_ok=True)
    begun = time.monotonic()
    function(job)
    missing = [output.name for output in job.outputs if not output.exists()]
    if missing:
        raise EngineError(f"It ended without {', '.join(missing)}; run it alone to see why.")
    return time.monotonic() - begun


def _check(jobs: Sequence[Job]) -> None:
    names: set[str] = set()
    writers: dict[str, str] = {}
    for job in jobs:
        if job.name in names:
            raise EngineError(f"Two jobs are called {job.name}; give each another name or output.")
        names.add(job.name)
        for output in job.outputs:
            other = writers.setdefault(os.path.normcase(output.absolute()), job.name)
            if other != job.name:
                raise EngineError(f"{other} and {job.name} both write {output}; give each another output.")


def _uses_dask(place: Place, say: Callable[[str], None]) -> bool:
    if importlib.util.find_spec("distributed") is not None:
        return place.scheduler is not None or place.workers != 1
    if place.scheduler or (place.workers or 1) > 1:
        raise EngineError(f"Several processes need Dask, which this Python lacks; install it with: {INSTALL}")
    say(f"One job after another, since this Python has no Dask; for more at once: {INSTALL}")
    return False


def _one_by_one(
    function: Function, jobs: Sequence[Job], _place: Place, _say: Callable[[str], None]
) -> Iterator[tuple[Job, float, str | None]]:
    for job in jobs:
        try:
            yield job, timed(function, job, __version__), None
        except Exception as error:
            yield job, 0.0, _sentence(error)


def _with_dask(
    function: Function, jobs: Sequence[Job], place: Place, say: Callable[[str], None]
) -> Iterator[tuple[Job, float, str | None]]:
    from distributed import as_completed

    with _client(place) as client, _lost_connection_as_sentence():
        say(f"{len(jobs)} jobs on {client.scheduler.address}; progress: {client.dashboard_link}")
        # Never taken for an earlier run's result: the outputs are what counts.
        futures = {client.submit(timed, function, job, __version__, pure=False): job for job in jobs}
        try:
            for future in as_completed(list(futures)):
                job = futures.pop(future)
                problem = future.exception()
                yield job, (0.0 if problem else future.result()), (_sentence(problem) if problem else None)
                future.release()
        finally:
            client.cancel(list(futures))


@contextmanager
def _client(place: Place) -> Iterator[Any]:
    from distributed import Client, LocalCluster

    if place.scheduler:
        try:
            client = Client(place.scheduler, timeout=CONNECT_SECONDS)
        except (OSError, ValueError) as error:
            raise EngineError(
                f"No Dask scheduler answers at {place.scheduler}; start one with dask scheduler, or check the address."
            ) from error
        with _closed(client):
            yield client
        return
    import dask

    workers = place.workers or os.cpu_count() or 1
    # Any free port for the page: another run may have the usual one. What fails is told in a sentence, not by Dask.
    with (
        dask.config.set(PATIENCE),
        LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL
        ) as cluster,
        _closed(Client(cluster)) as client,
    ):
        yield client


@contextmanager
def _closed(client: Any) -> Iterator[Any]:
    """Close a client at the end, also one whose scheduler is gone, of which closing complains."""
    try:
        yield client
    finally:
        with suppress(Exception):
            client.close()


@contextmanager
def _lost_connection_as_sentence() -> Iterator[None]:
    from distributed.client import FutureCancelledError
    from distributed.comm import CommClosedError

    try:
        yield
    except (FutureCancelledError, CommClosedError, TimeoutError) as error:
        raise EngineError(
            "The connection to the Dask scheduler was lost; finished outputs stay, so run the command again."
        ) from error


def _sentence(error: BaseException) -> str:
    """Why a job failed, in a sentence."""
    kind = type(error).__name__
    if isinstance(error, EngineError):
        return str(error)
    if kind == "KilledWorker":
        return "Four workers were lost while they had it; look at their memory, and run it alone."
    if isinstance(error, ModuleNotFoundError):
        return f"The workers cannot import {error.name}; start them in FaceTalk's folder with its packages."
    return f"{kind}: {error}".strip().rstrip(".") + "."
