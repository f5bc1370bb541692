"""One surface: the narrow band against the dense grid, for the starter's networks and for the official sizes.

    python -m benchmarks.surface [--bundle starter] [--device cpu] [--threads 2] [--resolutions 64 128]

The dense grid is measured in full at 64 and on a sample of its points above, then scaled, and marked so. The official
sizes have random weights, which are no head: their row is time per point, at the starter's number of points. CPU
seconds, summed over threads, are the figure to trust on a busy machine.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from engine.bundle import Bundle
from engine.head import NeuralHead, load_head
from engine.head.expression import ExpressionConfig, ExpressionNetwork
from engine.head.identity import IdentityConfig, IdentityNetwork
from engine.head.surface import SurfaceExtractor, estimated_bytes

SAMPLED_POINTS = 1 << 16
FULLY_MEASURED = 64
STRENGTH = 0.4


def seconds_of(run: Callable[[], object], device: torch.device) -> np.ndarray:
    """Wall and CPU seconds (2,) of one call."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return np.array([time.perf_counter() - wall, time.process_time() - cpu])


def official_size_head(device: torch.device) -> NeuralHead:
    """A head of nphm_backward's sizes with random weights."""
    generator = torch.Generator().manual_seed(0)
    identity = IdentityConfig(
        width=200, activation="softplus", neighbours=8, blend="gaussian", negligible=0.0, hyper_coordinates=2
    )
    expression = ExpressionConfig(width=512, hyper_coordinates=2, conditioning="concatenate", activation="softplus")
    anchors = 0.3 * torch.randn(identity.anchors, 3, generator=generator)
    return NeuralHead(IdentityNetwork(identity, anchors), ExpressionNetwork(expression), device=device)


def random_points(head: NeuralHead, count: int) -> Tensor:
    """Points (count, 3), uniform in the head's box."""
    low, high = (torch.tensor(corner, dtype=torch.float32) for corner in head.box)
    return (torch.rand(count, 3, generator=torch.Generator().manual_seed(0)) * (high - low) + low).to(head.device)


def dense_seconds(head: NeuralHead, code: np.ndarray, resolution: int) -> np.ndarray:
    """Seconds (2,) of evaluating a whole grid; above FULLY_MEASURED from a sample of its size."""
    count = resolution**3 if resolution <= FULLY_MEASURED else SAMPLED_POINTS
    points = random_points(head, count)
    return seconds_of(lambda: head.signed_distance(points, None, code), head.device) * resolution**3 / count


def compare(head: NeuralHead, official: NeuralHead, resolution: int, frames: int) -> None:
    """Print the rows of one resolution."""
    codes = np.random.default_rng(0).standard_normal((frames + 1, head.expression_dimensions)).astype(np.float32)
    codes *= STRENGTH / np.sqrt(head.expression_dimensions)
    extractor = SurfaceExtractor(head, None, resolution)
    extractor.extract(codes[0])
    surfaces = []
    band = seconds_of(lambda: surfaces.extend(map(extractor.extract, codes[1:])), head.device) / frames
    evaluated = int(np.mean([surface.evaluated for surface in surfaces]))
    vertices = int(np.mean([len(surface.vertices) for surface in surfaces]))
    points = random_points(official, SAMPLED_POINTS // 4)
    code = np.zeros(official.expression_dimensions, np.float32)
    each = seconds_of(lambda: official.signed_distance(points, None, code), official.device) / len(points)
    scaled = "" if resolution <= FULLY_MEASURED else " (scaled)"
    rows = {
        "narrow band": (band, evaluated),
        f"dense{scaled}": (dense_seconds(head, codes[1], resolution), resolution**3),
        "official sizes, narrow band (estimated)": (each * evaluated, evaluated),
        "official sizes, dense (scaled)": (each * resolution**3, resolution**3),
    }
    print(f"\n{resolution} points a side: {vertices} vertices, {estimated_bytes(resolution) / 2**20:.0f} MB reserved")
    print(f"  {'per frame':42}{'wall s':>10}{'CPU s':>10}{'points':>12}")
    for label, ((wall, cpu), count) in rows.items():
        print(f"  {label:42}{wall:10.3f}{cpu:10.3f}{count:12d}")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="starter", help='"starter" or a bundle folder')
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--frames", type=int, default=4, help="frames to average")
    parser.add_argument("--resolutions", type=int, nargs="+", default=[64, 128])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device = torch.device(arguments.device)
    head, official = load_head(Bundle.open(arguments.bundle), device), official_size_head(device)
    for resolution in arguments.resolutions:
        compare(head, official, resolution, arguments.frames)


if __name__ == "__main__":
    main()
