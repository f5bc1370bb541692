"""Training of the region network: material weights of canonical surface points."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine.head.networks.regions import RegionNetwork
from training.head.ict import FaceKit, random_coefficients
from training.head.identity_code import identity_basis
from training.head.labels import vertex_regions
from training.head.networks import RECIPE, head_optimisers, new_region_network, trained_network
from training.head.sampling import MATERIAL_EVERY, SURFACE_POINTS
from training.run.learner import load_weights
from training.run.loop import Run

HEADS, POINTS = 8, 1500
POSITION_NOISE = 0.0012  # 0.3 mm: an extracted surface is not the true one


class SurfaceBatches:
    """Surface points of heads never drawn before, with what `values` (V, D) say about their vertices."""

    def __init__(self, face_kit: FaceKit, pool: Path, values: np.ndarray, seed: int, device: torch.device):
        self.face_kit, self.values, self.seed, self.device = face_kit, values, seed, device
        self.material, self.triangles, done = (
            np.load(pool / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in ("material", "triangles", "done")
        )
        self.filled = -(-int(done.sum()) // MATERIAL_EVERY)
        self.basis = identity_basis(face_kit)

    def draw(self, step: int) -> dict[str, Tensor]:
        """codes (B, 1344), points (B, P, 3), values (B, P, D)."""
        random = np.random.default_rng([self.seed, 2, step])
        coefficients = np.stack([random_coefficients(random) for _ in range(HEADS)])
        points, values = [], []
        for row in coefficients:
            canonical = self.face_kit.canonical(self.face_kit.head(row))
            corners, shares = self._draw_places(random)
            points.append(np.einsum("pk,pkc->pc", shares, canonical[corners]))
            values.append(np.einsum("pk,pkd->pd", shares, self.values[corners]))
        batch = {"codes": coefficients @ self.basis.T, "points": np.stack(points), "values": np.stack(values)}
        return {name: torch.from_numpy(array).float().to(self.device) for name, array in batch.items()}

    def _draw_places(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Corner vertices (P, 3) and barycentric coordinates (P, 3) of random surface points."""
        rows = random.integers(0, SURFACE_POINTS, POINTS)
        material = self.material[random.integers(self.filled)][rows]
        corners = self.triangles[material[:, 0].astype(np.int64)]
        shares = np.stack([material[:, 1], material[:, 2], 1 - material[:, 1] - material[:, 2]], 1)
        return corners, shares


def train_regions(face_kit: FaceKit, pool: Path, run: Run, device: torch.device, start: Path | None = None) -> None:
    """Train with cross-entropy against soft weights; the run's checkpoint holds the averaged network.

    start: a bundle from whose weights a new run begins.
    """
    network = new_region_network(run.seed).to(device)
    if start:
        load_weights(network, trained_network(start, "region_network", RegionNetwork).state_dict())
    batches = SurfaceBatches(face_kit, pool, vertex_regions(face_kit), run.seed, device)

    def loss(step: int) -> tuple[Tensor, dict[str, Tensor]]:
        batch = batches.draw(step)
        noise = np.random.default_rng([run.seed, 3, step]).normal(size=tuple(batch["points"].shape))
        points = batch["points"] + POSITION_NOISE * torch.from_numpy(noise).to(batch["points"])
        logits = network(points, batch["codes"])  # (B, P, K)
        value = functional.cross_entropy(logits.flatten(0, 1), batch["values"].flatten(0, 1))
        return value, {"regions": value}

    run.train(network, head_optimisers(network), loss, RECIPE)
