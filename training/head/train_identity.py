"""Training of the identity network on signed distances of canonical heads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.head.networks.identity import IdentityNetwork
from engine.shared.units import UNITS_PER_MILLIMETRE
from training.head.ground_truth import NECK_PLANE
from training.head.ict import FaceKit, random_coefficients
from training.head.identity_code import canonical_anchors, identity_basis
from training.head.narrowing import narrow_identity
from training.head.networks import (
    RECIPE,
    Sizes,
    head_optimisers,
    new_identity_network,
    start_identity_from,
    trained_network,
)
from training.head.sampling import (
    BOX_MAXIMUM,
    BOX_MINIMUM,
    MATERIAL_EVERY,
    NEAR_POINTS,
    SHELL_POINTS,
    STRONG_SCALES,
    SURFACE_POINTS,
    UNIFORM_POINTS,
    material_positions,
)
from training.run.loop import Run

HEADS = 8
SURFACE_SHARE, NEAR_SHARE, UNIFORM_SHARE, NORMAL_SHARE = 360, 370, 80, 70
CLAMP = 0.24  # 6 cm
FACE_LOWEST = -0.42  # the front of the head above this is looked at, and counts twice
FRONT_WEIGHT, BACK_WEIGHT = 4 / 3, 2 / 3
NEAR_SCALE = 4.0 * UNITS_PER_MILLIMETRE
NORMAL_WEIGHT, ANCHOR_WEIGHT, SIGN_WEIGHT = 0.006, 0.3, 1.0
SIGN_MARGIN = 0.3 * UNITS_PER_MILLIMETRE
NARROWING_BATCHES = 6  # on which a smaller network is fitted to the larger one that it starts from
BELOW_SHARE, BELOW_WEIGHT = 48, 0.6  # points below the neck's end, where no solid may lie
NECK_RIM, RIM_HEIGHT, RIM_WIDTH = 0.05, 0.012, 0.02  # half of them right under the neck's own skin: its edge is sharp


class IdentityBatches:
    """Batches of canonical heads; step number in, tensors out.

    Half of a batch's heads come from the pool, with exact distances everywhere. The other half are heads never drawn
    before, on which the pool's material points give the surface and the shells near it.
    """

    def __init__(self, face_kit: FaceKit, pool: Path, seed: int, device: torch.device):
        self.seed, self.device = seed, device
        self.arrays = {
            name: np.load(pool / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in ("coefficients", "points", "distances", "normals", "material", "triangles", "done")
        }
        self.basis = identity_basis(face_kit)
        self.face_kit = face_kit

    def draw(self, step: int) -> dict[str, Tensor]:
        """codes (B, 1344), anchors (B, n, 3), points (B, P, 3), distances (B, P), normals (B, NORMAL_SHARE, 3).

        below (B, BELOW_SHARE, 3): points under the plane that ends the neck.
        """
        random = np.random.default_rng([self.seed, step])
        heads = [self._from_pool(random) for _ in range(HEADS // 2)] + [self._new(random) for _ in range(HEADS // 2)]
        coefficients, points, distances, normals = (np.stack(values) for values in zip(*heads, strict=True))
        batch = {
            "codes": coefficients @ self.basis.T,
            "anchors": canonical_anchors(self.face_kit, coefficients),
            "points": points,
            "distances": distances,
            "normals": normals,
        }
        batch["below"] = np.stack([_below_neck(points[:SURFACE_SHARE], random) for points in points])
        return {name: torch.from_numpy(values).float().to(self.device) for name, values in batch.items()}

    def _from_pool(self, random: np.random.Generator) -> tuple[np.ndarray, ...]:
        head = random.choice(np.flatnonzero(self.arrays["done"]))
        starts = np.cumsum([0, SURFACE_POINTS, NEAR_POINTS])
        sizes = (SURFACE_POINTS, NEAR_POINTS, UNIFORM_POINTS)
        rows = np.concatenate(
            [
                start + random.integers(0, size, share)
                for start, size, share in zip(starts, sizes, (SURFACE_SHARE, NEAR_SHARE, UNIFORM_SHARE), strict=True)
            ]
        )
        return (
            self.arrays["coefficients"][head],
            self.arrays["points"][head][rows],
            self.arrays["distances"][head][rows],
            self.arrays["normals"][head][rows[:NORMAL_SHARE]],
        )

    def _new(self, random: np.random.Generator) -> tuple[np.ndarray, ...]:
        filled = -(-int(self.arrays["done"].sum()) // MATERIAL_EVERY)
        rows = np.concatenate(
            [
                random.integers(0, SURFACE_POINTS, SURFACE_SHARE),
                SURFACE_POINTS + random.integers(0, SHELL_POINTS, NEAR_SHARE + UNIFORM_SHARE),
            ]
        )
        material = self.arrays["material"][random.integers(filled)][rows]
        coefficients = random_coefficients(random, STRONG_SCALES)
        canonical = self.face_kit.canonical(self.face_kit.head(coefficients))
        points, normals = material_positions(canonical, self.arrays["triangles"], material)
        return coefficients, points, UNITS_PER_MILLIMETRE * material[:, 3], normals[:NORMAL_SHARE]


def _below_neck(surface: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Points (BELOW_SHARE, 3) under the plane that ends the neck, half of them near its edge on this surface (P, 3)."""
    below = random.uniform(BOX_MINIMUM, (BOX_MAXIMUM[0], NECK_PLANE, BOX_MAXIMUM[2]), (BELOW_SHARE, 3))
    neck = surface[surface[:, 1] < NECK_PLANE + NECK_RIM]
    if len(neck):
        half = BELOW_SHARE // 2
        below[:half] = neck[random.integers(0, len(neck), half)] + RIM_WIDTH * random.normal(size=(half, 3))
        below[:half, 1] = random.uniform(NECK_PLANE - RIM_HEIGHT, NECK_PLANE, half)
    return below


def identity_losses(network: IdentityNetwork, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Losses of a batch: surface, clamped distance, sign, normals by autograd, anchors, neck; all in model units."""
    with_normals = batch["points"][:, :NORMAL_SHARE].clone().requires_grad_(True)
    state = network.prepare(batch["codes"])
    predicted_normal = network.evaluate(with_normals, state)
    (gradient,) = torch.autograd.grad(predicted_normal.sum(), with_normals, create_graph=True)
    others = torch.cat([batch["points"][:, NORMAL_SHARE:], batch["below"]], 1)
    values, below = network.evaluate(others, state).split([others.shape[1] - BELOW_SHARE, BELOW_SHARE], 1)
    predicted = torch.cat([predicted_normal, values], 1)
    neck = torch.relu(NECK_PLANE - batch["below"][..., 1] - below).mean()  # the plane is at least that near
    distances = batch["distances"]
    error = (predicted.clamp(-CLAMP, CLAMP) - distances.clamp(-CLAMP, CLAMP)).abs()
    places = batch["points"]
    front = (places[..., 2] > 0.0) & (places[..., 1] > FACE_LOWEST)
    error = error * torch.where(front, FRONT_WEIGHT, BACK_WEIGHT)
    surface = error[:, :SURFACE_SHARE].mean()
    beside, true = error[:, SURFACE_SHARE:], distances[:, SURFACE_SHARE:]
    near = (beside / (1.0 + true.abs() / NEAR_SCALE)).mean()
    wrong_side = torch.relu(SIGN_MARGIN - predicted[:, SURFACE_SHARE:] * true.sign())
    sign = wrong_side[true.abs() > SIGN_MARGIN].mean()
    normal = (gradient - batch["normals"]).norm(dim=-1).mean()
    anchors = (state.anchors - batch["anchors"]).abs().mean()
    return {
        "surface": surface,
        "near": near,
        "sign": SIGN_WEIGHT * sign,
        "normal": NORMAL_WEIGHT * normal,
        "anchors": ANCHOR_WEIGHT * anchors,
        "neck": BELOW_WEIGHT * neck,
    }


def train_identity(
    face_kit: FaceKit, pool: Path, run: Run, device: torch.device, sizes: Sizes, start: Path | None = None
) -> None:
    """Train on the heads of `pool`; the run's checkpoint holds the averaged network.

    start: a bundle from whose weights a new run begins; its network may be larger.
    """
    network = new_identity_network(face_kit, run.seed, sizes)
    batches = IdentityBatches(face_kit, pool, run.seed, device)
    if start and not run.begun:
        _start_from(network, trained_network(start, "identity", IdentityNetwork), batches)
    network.to(device)

    def loss(step: int) -> tuple[Tensor, dict[str, Tensor]]:
        parts = identity_losses(network, batches.draw(step))
        return torch.stack([*parts.values()]).sum(), parts

    run.train(network, head_optimisers(network, [network.hidden_weight]), loss, RECIPE)


def _start_from(network: IdentityNetwork, trained: IdentityNetwork, batches: IdentityBatches) -> None:
    """Begin with the weights of a trained network, or with what a smaller one can keep of them."""
    if all(getattr(network.config, name) == getattr(trained.config, name) for name in ("width", "neighbours")):
        start_identity_from(network, trained)
        return
    drawn = [batches.draw(step) for step in range(NARROWING_BATCHES)]
    narrow_identity(network, trained, *(torch.cat([batch[name] for batch in drawn]) for name in ("points", "codes")))
