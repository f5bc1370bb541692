"""Surfaces of a moving face: the carried narrow band against the dense grid, for the starter and for official sizes.

    python -m benchmarks.surface [--bundle starter] [--device cpu] [--threads 1 2] [--resolutions 64 128 256]

Dense grids are measured on a sample of their points and scaled. "Plain" is the recipe without this engine's faster
matrix products, activations and threads. Official sizes have random weights, which do not give a head: their band is
time per point at the starter's number of points. CPU seconds, summed over threads, are the figure to trust on a busy
machine; frames are given by their median. Peak memory is that of the whole process so far.
"""

from __future__ import annotations

import argparse
import resource

import numpy as np
import torch
from torch import Tensor

from benchmarks.measuring import conditions, median_seconds, print_table, seconds_of
from engine.bundle import Bundle
from engine.head import NeuralHead, load_head
from engine.head.head import DISTANCE_CHUNK
from engine.head.networks.expression import ExpressionConfig, ExpressionNetwork
from engine.head.networks.identity import IdentityConfig, IdentityNetwork
from engine.head.parallel import in_chunks
from engine.head.surface.extract import Surface, SurfaceExtractor
from engine.motion.codes import codes_from_weights
from engine.shared.arkit import ARKIT_NAMES
from engine.shared.options import RESOLUTIONS, STARTER, TOLERANCE
from engine.shared.units import CODE_RATE

SAMPLED_POINTS = 1 << 14


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


def point_seconds(head: NeuralHead, plain: bool) -> np.ndarray:
    """Seconds (2,) of one point in a dense grid."""
    points, posed = random_points(head, SAMPLED_POINTS), head.pose()

    def evaluate() -> object:
        if plain:
            return posed.signed_distance(points)
        return in_chunks(lambda chunk: (posed.signed_distance(chunk),), points, DISTANCE_CHUNK)

    # Where gradients may be asked for, the networks take the plain path; none is, as no weight requires one.
    with torch.set_grad_enabled(plain):
        return median_seconds(evaluate, 1, head.device) / SAMPLED_POINTS


def moving_face(head: NeuralHead, frames: int) -> np.ndarray:
    """Expression codes (frames, E) at 24 Hz: a jaw that opens and closes four times a second, lips that round, a blink.

    A bundle without animation weights gets a slow random walk of its codes.
    """
    seconds = np.arange(frames)[:, None] / CODE_RATE
    if head.arkit_map.exact_basis is None:
        start, step = np.random.default_rng(0).standard_normal((2, 1, head.expression_dimensions))
        return (0.4 * start + 0.2 * seconds * step).astype(np.float32) / np.sqrt(head.expression_dimensions)
    rates = {"jawOpen": 4.0, "mouthFunnel": 1.5, "mouthSmileLeft": 0.5, "mouthSmileRight": 0.5, "eyeBlinkLeft": 0.7}
    weights = np.zeros((frames, len(ARKIT_NAMES)), np.float32)
    for name, rate in rates.items():
        weights[:, ARKIT_NAMES.index(name)] = 0.2 * (1 - np.cos(2 * np.pi * rate * seconds[:, 0]))
    return codes_from_weights(weights, head.arkit_map.exact_basis)


def compare(head: NeuralHead, official: NeuralHead, resolution: int, frames: int) -> None:
    """Print the rows of one resolution."""
    exact, near = (SurfaceExtractor(head, None, resolution, tolerance=tolerance) for tolerance in (0.0, TOLERANCE))
    surfaces: dict[SurfaceExtractor, list[Surface]] = {exact: [], near: []}
    seconds: dict[SurfaceExtractor, list[np.ndarray]] = {exact: [], near: []}
    for code in moving_face(head, frames + 1):
        for extractor, made in surfaces.items():  # in turn, so that both meet the same other programs
            taken = seconds_of(lambda e=extractor, c=code, m=made: m.append(e.extract(c)), head.device)
            seconds[extractor].append(taken)
    further = {extractor: int(np.median([each.evaluated for each in made[1:]])) for extractor, made in surfaces.items()}
    rows = {
        "starter, first frame": (seconds[exact][0], surfaces[exact][0].evaluated),
        "starter, further frame (median)": (np.median(seconds[exact][1:], 0), further[exact]),
        f"the same, off by {TOLERANCE} cells at most": (np.median(seconds[near][1:], 0), further[near]),
    }
    for name, network in (("starter", head), ("official sizes", official)):
        fast, plain = point_seconds(network, False), point_seconds(network, True)
        if network is official:
            rows[f"{name}, further frame (estimated)"] = (fast * further[exact], further[exact])
        rows[f"{name}, dense (scaled)"] = (fast * resolution**3, resolution**3)
        rows[f"{name}, dense, plain (scaled)"] = (plain * resolution**3, resolution**3)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print_table(
        f"{torch.get_num_threads()} threads, {resolution} points a side: {len(surfaces[exact][-1].vertices)} vertices, "
        f"peak {peak:.0f} MB",
        ["per frame", "wall s", "CPU s", "points"],
        [[label, f"{wall:.3f}", f"{cpu:.3f}", str(points)] for label, ((wall, cpu), points) in rows.items()],
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default=STARTER, help='"starter" or a bundle folder')
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--frames", type=int, default=6, help="frames after the first")
    parser.add_argument("--resolutions", type=int, nargs="+", default=RESOLUTIONS)
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    print(conditions(None, f"{arguments.frames} frames", device))
    head, official = load_head(Bundle.open(arguments.bundle), device), official_size_head(device)
    for threads in arguments.threads:
        torch.set_num_threads(threads)
        for resolution in arguments.resolutions:
            compare(head, official, resolution, arguments.frames)


if __name__ == "__main__":
    main()
