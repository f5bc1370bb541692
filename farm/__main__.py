"""Run a table of jobs: `python -m farm jobs.csv`.

    audio,output,seed,identity
    voices/a.wav,videos/a.mp4,0,mean
    voices/b.wav,videos/b.mp4,1,random:7
    voices/c.wav,takes/c.npz,,

Columns are options of the batch command (docs/batch.md) without their dashes. A row whose output ends in .npz samples a
take; others are videos (output) and scenes (blend) that Blender makes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.shared.errors import EngineError
from farm.renders import program, render
from farm.run import Outcome, add_place_options, place_of, run_jobs
from farm.table import needs_blender, read_table
from farm.takes import sample_take


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns 0, 2 when something has to be put right first or a job failed, or 130 when interrupted."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m farm", description=__doc__, formatter_class=plain)
    parser.add_argument("table", type=Path, help="CSV file with a row for each job")
    parser.add_argument("--blender", help="application that renders (default: the bpy of this Python)")
    parser.add_argument("--installed", action="store_true", help="the application has the extension: use that one")
    add_place_options(parser)
    options = parser.parse_args(arguments)
    try:
        outcome = _run(options)
    except EngineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted; finished outputs stay", file=sys.stderr)
        return 130
    for name, reason in outcome.failed.items():
        print(f"error: {name}: {reason}", file=sys.stderr)
    print(f"{len(outcome.done)} done, {len(outcome.skipped)} skipped, {len(outcome.failed)} failed")
    return 2 if outcome.failed else 0


def _run(options: argparse.Namespace) -> Outcome:
    place = place_of(options)
    blender = program(options.blender, options.installed) if needs_blender(options.table) else []
    takes, renders = read_table(options.table, blender)
    outcome = Outcome()
    for function, jobs in ((sample_take, takes), (render, renders)):
        part = run_jobs(function, jobs, place, options.again)
        outcome.done += part.done
        outcome.skipped += part.skipped
        outcome.failed |= part.failed
    return outcome


if __name__ == "__main__":
    sys.exit(main())
