"""The paper's user study: `make` writes its page, `count` what the answers say.

python -m evaluation.user_study make --method ours=videos/ours --method VOCA=videos/voca --output study
python -m evaluation.user_study count study/key.json answers/*.csv
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.shared.errors import EngineError
from evaluation.shared.reports import table
from evaluation.user_study.study import PAPER_CLIPS, PAPER_METHODS, QUESTIONS, count_answers, make_study, wilson
from training.run.options import exit_status


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns 0, or 2 after printing one line that says what to put right."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m evaluation.user_study", description=__doc__, formatter_class=plain)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    make = commands.add_parser("make", help="write the page and its key")
    make.add_argument("--method", action="append", default=[], metavar="NAME=FOLDER", help="videos, named by clip")
    make.add_argument("--output", type=Path, required=True, help="folder for page/ and key.json")
    make.add_argument("--seed", type=int, default=0, help="of the order of methods")
    make.set_defaults(run=_make)
    count = commands.add_parser("count", help="votes of saved answers, with 95 %% intervals")
    count.add_argument("key", type=Path)
    count.add_argument("answers", type=Path, nargs="+")
    count.set_defaults(run=_count)
    options = parser.parse_args(arguments)
    return exit_status(lambda: options.run(options))


def _make(options: argparse.Namespace) -> None:
    methods: dict[str, Path] = {}
    for text in options.method:
        name, _, folder = text.partition("=")
        if not name or not folder or name in methods:
            raise EngineError(f"'{text}' is no NAME=FOLDER with a name of its own; write e.g. ours=videos/ours.")
        methods[name] = Path(folder)
    clips = make_study(methods, options.output, options.seed)
    print(f"{options.output / 'page' / 'index.html'}: {clips} clips of {len(methods)} methods", end="")
    print(f" (the paper: {PAPER_CLIPS} of {PAPER_METHODS})")
    print(f"{options.output / 'key.json'}: which method is which; keep it to yourself")


def _count(options: argparse.Namespace) -> None:
    found = count_answers(options.key, options.answers)
    print(f"{found['participants']} participants; share of the votes [95 % interval]\n")
    rows = []
    for name in sorted(found["votes"][QUESTIONS[0]]):
        cells = []
        for question in QUESTIONS:
            votes = found["votes"][question]
            low, high = wilson(votes[name], sum(votes.values()))
            cells.append(f"{votes[name] / max(sum(votes.values()), 1):.1%} [{low:.1%}, {high:.1%}]")
        rows.append([name, *cells])
    print("\n".join(table(["method", *QUESTIONS], rows)))


if __name__ == "__main__":
    sys.exit(main())
