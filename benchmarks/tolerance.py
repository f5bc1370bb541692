"""What frames carried within a tolerance cost and how far they are off, beside exact ones, frame by frame in turn.

    python -m benchmarks.tolerance [--resolutions 64 128] [--first 12] [--frames 24] [--table]

The clip is the demo's sentence on the mean head. Differences are those of the distances that marching cubes reads, and
of their canonical points, in millimetres, over all frames; "signs" are grid points a frame on the other side. With more
than one thread: also what the clip takes when its frames are shared among cores. "the next take's first frame" goes on
from the clip's last. --table: the near frames take distances from the identity's table, which is made first.
"""

from __future__ import annotations

import argparse
from collections import deque

import numpy as np
import torch

from benchmarks.measuring import conditions, print_table, seconds_of
from engine import Engine
from engine.head import NeuralHead
from engine.head.surface.extract import SurfaceExtractor
from engine.head.surface.in_turn import extract_in_turn
from engine.head.table_work import SEEN_SURFACES, TableWork
from engine.shared.options import RESOLUTION, RESOLUTIONS, TOLERANCE
from engine.shared.units import MILLIMETRES_PER_UNIT
from tests.helpers.repository import ROOT


def differences(exact: SurfaceExtractor, near: SurfaceExtractor) -> tuple[np.ndarray, np.ndarray, int]:
    """Differences (P,) of values and canonical points in mm where both are known, and how many signs differ."""
    bands = exact.band, near.band
    known = bands[0].needed & bands[1].needed & (bands[0].row >= 0) & (bands[1].row >= 0)
    values = [band.values[known] for band in bands]
    canonical = [torch.cat(band.canonical)[band.row[known].long()] for band in bands]
    wrong = int(((bands[0].values > 0) != (bands[1].values > 0)).sum())
    off = (values[0] - values[1]).abs(), (canonical[0] - canonical[1]).norm(dim=1)
    return off[0].numpy() * MILLIMETRES_PER_UNIT, off[1].numpy() * MILLIMETRES_PER_UNIT, wrong


def compare(head: NeuralHead, codes: np.ndarray, resolution: int) -> None:
    """Print the tables of one resolution."""
    extractors = [SurfaceExtractor(head, None, resolution, tolerance=tolerance) for tolerance in (0.0, TOLERANCE)]
    seconds: list[list[np.ndarray]] = [[], []]
    points: list[list[int]] = [[], []]
    off = []
    for number, code in enumerate(codes):
        for which, extractor in enumerate(extractors):
            seconds[which].append(
                seconds_of(lambda e=extractor, c=code, p=points[which]: p.append(e.extract(c).evaluated))
            )
        if number:
            off.append(differences(*extractors))
    rows = []
    for which, name in enumerate(("exact", f"off by {TOLERANCE} cells at most")):
        wall, cpu = np.median(seconds[which][1:], 0)
        rows.append([name, f"{wall:.3f}", f"{cpu:.3f}", str(int(np.median(points[which][1:])))])
    rows.append(["first frame, " + rows[1][0], *(f"{taken:.3f}" for taken in seconds[1][0]), str(points[1][0])])
    taken = seconds_of(lambda: points[1].append(extractors[1].extract(codes[0]).evaluated))
    rows.append(["the next take's first frame", *(f"{each:.3f}" for each in taken), str(points[1][-1])])
    cell = min(extractors[0].band.spacing) * MILLIMETRES_PER_UNIT
    title = f"{resolution} points a side, cell {cell:.2f} mm, further frames but for the last two rows"
    print_table(title, ["", "wall s", "CPU s", "points"], rows)
    table = []
    for name, parts in zip(("distance", "canonical point"), list(zip(*off, strict=True))[:2], strict=True):
        joined = np.concatenate(parts)
        figures = [joined.mean(), *np.percentile(joined, [95, 99.9]), joined.max()]
        table.append([name, *(f"{figure:.4f}" for figure in figures)])
    signs = np.mean([wrong for *_, wrong in off])
    print_table(f"differences in mm; {signs:.1f} signs a frame", ["", "mean", "95 %", "99.9 %", "greatest"], table)


def clip_seconds(head: NeuralHead, codes: np.ndarray, resolution: int) -> None:
    """Print what a whole clip takes whose frames all cores share, and whose frames have a core each."""
    ways = ("all cores on each frame", "a thread for each core")
    seconds: dict[str, list[np.ndarray]] = {name: [] for name in ways}
    for _ in range(3):  # in turn
        for name, runs in seconds.items():
            extractor = SurfaceExtractor(head, None, resolution, tolerance=TOLERANCE)
            made = map(extractor.extract, codes) if name == ways[0] else extract_in_turn(extractor, codes)
            next(made)
            runs.append(seconds_of(lambda made=made: deque(made, maxlen=0)) / (len(codes) - 1))
    rows = [[name, *(f"{figure:.3f}" for figure in np.median(runs, 0))] for name, runs in seconds.items()]
    title = f"{resolution} points a side, {len(codes) - 1} further frames, off by {TOLERANCE} cells at most"
    print_table(title, ["a frame", "wall s", "CPU s"], rows)


def make_table(head: NeuralHead, code: np.ndarray) -> None:
    """Give the mean head its table of distances, and print what that took."""
    extractor, work = SurfaceExtractor(head, None, min(RESOLUTIONS), tolerance=TOLERANCE), TableWork(head)
    extractor.extract(code)
    work.saw(None, SEEN_SURFACES, extractor.band.canonical_points())
    pieces, left = [], [True]
    while left[-1]:
        pieces.append(seconds_of(lambda: left.append(work.step())))
    wall, cpu = np.sum(pieces, 0)
    longest = np.max(pieces, 0)[1]
    print(f"table of distances: {wall:.1f} s of wall clock, {cpu:.1f} CPU s, its longest piece {longest:.2f} CPU s")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolutions", type=int, nargs="+", default=[r for r in RESOLUTIONS if r <= RESOLUTION])
    parser.add_argument("--first", type=int, default=12, help="the first code frame")
    parser.add_argument("--frames", type=int, default=24, help="frames after the first")
    parser.add_argument("--table", action="store_true", help="with the identity's table of distances")
    options = parser.parse_args()
    engine = Engine.load()
    codes = engine.sample(ROOT / "demo" / "voice.wav").codes[options.first :][: options.frames + 1]
    print(conditions(torch.get_num_threads(), f"{options.frames} frames"))
    if options.table:
        make_table(engine.head, codes[0])
    for resolution in options.resolutions:
        compare(engine.head, codes, resolution)
        if torch.get_num_threads() > 1:
            clip_seconds(engine.head, codes, resolution)


if __name__ == "__main__":
    main()
