"""Training of the expression network on true correspondences between posed and canonical heads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from engine.head.networks.expression import ExpressionNetwork
from engine.head.networks.smoothing import GaussianMask
from engine.motion.codes import codes_from_weights, expression_basis
from engine.shared.errors import EngineError
from engine.shared.units import UNITS_PER_MILLIMETRE
from engine.shared.weights import WEIGHT_NAMES
from training.head.ict import FaceKit, random_coefficients
from training.head.identity_code import identity_basis
from training.head.narrowing import narrow_expression
from training.head.networks import (
    RECIPE,
    Sizes,
    head_optimisers,
    new_expression_network,
    new_identity_network,
    run_sizes,
    smoothing_mask,
    trained_network,
    without_anchors,
)
from training.head.sampling import DETAIL_POINTS, POSED_SHELL_POINTS, POSED_SURFACE_POINTS, material_positions
from training.run.learner import load_weights
from training.run.loop import Run, averaged_weights

WHOLE, EYES, LIPS = range(3)  # the pools of poses
SHOWN = (WHOLE, WHOLE, WHOLE, WHOLE, WHOLE, EYES, LIPS, LIPS)  # which pool each pose of a batch comes from
SURFACE_SHARE, SHELL_SHARE = 480, 420
HEADS = 256
NARROWING_BATCHES = 6  # on which a smaller network is fitted to the larger one that it starts from
DETAIL_POSES, DETAIL_SHARE = 6, 350
DETAIL_CLAMP = 4.0 * UNITS_PER_MILLIMETRE
DETAIL_WEIGHT = 1.0
GHOST_MARGIN, GHOST_WEIGHT = 1.0 * UNITS_PER_MILLIMETRE, 4.0  # solid where there is air counts five times
SIGN_MARGIN, SIGN_WEIGHT = 0.3 * UNITS_PER_MILLIMETRE, 2.0  # what is thin must not come apart: air in solid counts too
# An error along the true normal displaces the surface; one across it only moves what is drawn on it.
ALONG_WEIGHT, ANY_WEIGHT = 1.0, 0.6
STRENGTHS = (0.9, 1.1)  # of a pose's weights, each by its own factor
ELSEWHERE = 0.5  # share of the poses of eyes or lips alone that are those of another pose in the rest of the face
SHELL_SCALE = 8.0  # mm; a shell point this far out counts half
UPPER_FACE = np.array([name.startswith(("brow", "eye", "cheekSquint", "noseSneer")) for name in WEIGHT_NAMES])


class ExpressionBatches:
    """Batches from pools of poses (see `SHOWN`), each placed on a random head; step number in, tensors out.

    Which points of a pose are visible hardly depends on the head, so a pose is shown on many heads and at slightly
    other strengths than those it was tested on.
    """

    def __init__(self, face_kit: FaceKit, pools: Sequence[Path], seed: int, device: torch.device):
        self.face_kit, self.seed, self.device = face_kit, seed, device
        self.pools = [
            {
                name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
                for name in ("weights", "material", "done")
            }
            for folder in pools
        ]
        self.triangles = np.load(pools[0] / "triangles.npy", allow_pickle=False)
        random = np.random.default_rng([seed, 0])
        self.coefficients = np.stack([random_coefficients(random) for _ in range(HEADS)])
        self.heads = np.stack([face_kit.head(row) for row in self.coefficients])
        self.lid_completions = [face_kit.lid_completions(head) for head in self.heads]
        self.identity_codes = self.coefficients @ identity_basis(face_kit).T
        self.expression_basis = expression_basis()

    def draw(self, step: int) -> dict[str, Tensor]:
        """identity (B, 1344), expression (B, 200), posed, canonical, normals there (B, P, 3), offset in mm (B, P)."""
        random = np.random.default_rng([self.seed, 1, step])
        heads = random.integers(0, HEADS, len(SHOWN))
        drawn = [self._pose(number, random) for number in SHOWN]
        weights, material = (np.stack(values) for values in zip(*drawn, strict=True))
        kit = self.face_kit
        posed = [
            material_positions(kit.posed(self.heads[head], row, self.lid_completions[head]), self.triangles, points)[0]
            for head, row, points in zip(heads, weights, material, strict=True)
        ]
        canonical, normals = zip(
            *(
                material_positions(kit.canonical(self.heads[head]), self.triangles, points)
                for head, points in zip(heads, material, strict=True)
            ),
            strict=True,
        )
        expression = codes_from_weights(weights, self.expression_basis)
        batch = {
            "identity": self.identity_codes[heads],
            "expression": expression,
            "posed": np.stack(posed),
            "canonical": np.stack(canonical),
            "normals": np.stack(normals),
            "offset": material[..., 3],
        }
        return {name: torch.from_numpy(values).float().to(self.device) for name, values in batch.items()}

    def _pose(self, number: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Weights (57,) and material points (P, 4) of a random pose of a pool."""
        pool = self.pools[number]
        pose = random.choice(self._done(number))
        rows = np.concatenate(
            [
                random.integers(0, POSED_SURFACE_POINTS, SURFACE_SHARE),
                POSED_SURFACE_POINTS + random.integers(0, POSED_SHELL_POINTS, SHELL_SHARE),
            ]
        )
        weights = pool["weights"][pose]
        if number != WHOLE and random.random() < ELSEWHERE:  # what lips hide does not depend on lids, nor lids on lips
            other = self.pools[WHOLE]["weights"][random.choice(self._done(WHOLE))]
            weights = np.where(UPPER_FACE == (number == EYES), weights, other)
        return _jittered(weights, random), pool["material"][pose][rows]

    def _done(self, number: int) -> np.ndarray:
        """Rows of a pool that are filled; it may still grow."""
        return np.flatnonzero(self.pools[number]["done"])


def _jittered(weights: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Weights (57,) at slightly other strengths; mouthClose keeps its ratio to jawOpen."""
    factors = random.uniform(*STRENGTHS, len(weights))
    factors[WEIGHT_NAMES.index("mouthClose")] = factors[WEIGHT_NAMES.index("jawOpen")]
    return (weights * factors * random.uniform(0.9, 1.05)).clip(0, 1).astype(np.float32)


def expression_losses(network: ExpressionNetwork, mask: GaussianMask, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Distance between the predicted and the true canonical point, on the surface and on shells around it, in mm.

    On the surface what lies along the normal counts most.
    """
    anchors = without_anchors(batch["identity"], network.config.anchors)
    offsets = network(batch["posed"], batch["identity"], anchors, batch["expression"])  # (B, P, 3)
    predicted = batch["posed"] + mask(batch["posed"])[..., None] * offsets
    missed = (predicted - batch["canonical"]) / UNITS_PER_MILLIMETRE
    error = missed.square().sum(-1).add(1e-6).sqrt()  # (B, P)
    along = (missed * batch["normals"])[:, :SURFACE_SHARE].sum(-1).abs()
    shell = error[:, SURFACE_SHARE:] / (1.0 + batch["offset"][:, SURFACE_SHARE:].abs() / SHELL_SCALE)
    return {
        "surface": ANY_WEIGHT * error[:, :SURFACE_SHARE].mean(),
        "along": ALONG_WEIGHT * along.mean(),
        "shell": shell.mean(),
    }


class DetailLoss:
    """Signed distances around mouth and eyelids, through a frozen identity network; it makes lips and lids seal."""

    def __init__(self, face_kit: FaceKit, pool: Path, identity_run: Path, seed: int, device: torch.device):
        self.seed, self.device = seed, device
        self.arrays = {
            name: np.load(pool / f"{name}.npy", mmap_mode="r", allow_pickle=False)
            for name in ("coefficients", "weights", "points", "done")
        }
        self.identity = new_identity_network(face_kit, 0, run_sizes(identity_run))
        self.identity.load_state_dict(averaged_weights(identity_run))
        self.identity.to(device).requires_grad_(False)
        self.identity_basis, self.expression_basis = identity_basis(face_kit), expression_basis()

    def __call__(self, network: ExpressionNetwork, mask: GaussianMask, step: int) -> Tensor:
        """Mean error of the clamped distance in millimetres, for one step's examples."""
        random = np.random.default_rng([self.seed, 4, step])
        examples = random.choice(np.flatnonzero(self.arrays["done"]), DETAIL_POSES)
        points = np.stack(
            [self.arrays["points"][example][random.integers(0, DETAIL_POINTS, DETAIL_SHARE)] for example in examples]
        )
        codes = (
            self.arrays["coefficients"][examples] @ self.identity_basis.T,
            codes_from_weights(self.arrays["weights"][examples], self.expression_basis),
            points,
        )
        identity, expression, samples = (torch.from_numpy(array).float().to(self.device) for array in codes)
        posed, true = samples[..., :3], samples[..., 3]
        offsets = network(posed, identity, without_anchors(identity, network.config.anchors), expression)
        predicted = self.identity(posed + mask(posed)[..., None] * offsets, identity)  # (B, P)
        error = (predicted.clamp(-DETAIL_CLAMP, DETAIL_CLAMP) - true.clamp(-DETAIL_CLAMP, DETAIL_CLAMP)).abs()
        ghost = (true > GHOST_MARGIN) & (predicted < 0.5 * GHOST_MARGIN)
        wrong_side = torch.relu(SIGN_MARGIN - predicted * true.sign()) * (true.abs() > SIGN_MARGIN)
        weighted = error * (1.0 + GHOST_WEIGHT * ghost) + SIGN_WEIGHT * wrong_side
        return DETAIL_WEIGHT * weighted.mean() / UNITS_PER_MILLIMETRE


@dataclass(frozen=True)
class ExpressionPools:
    """Sample pools of the expression network: poses of whole heads, of eyes and of lips, and posed distances or None.

    identity_run: run folder of the identity network through which `detail` is learned; needed with it.
    """

    whole: Path
    eyes: Path
    lips: Path
    detail: Path | None = None
    identity_run: Path | None = None


def train_expression(
    face_kit: FaceKit,
    pools: ExpressionPools,
    run: Run,
    device: torch.device,
    sizes: Sizes,
    start: Path | None = None,
) -> None:
    """Train on the poses of three pools; the run's checkpoint holds the averaged network.

    With a trained identity network and a pool of posed distances, `DetailLoss` is added. start: a bundle from whose
    weights a new run begins; its network may be larger. Raises EngineError when only one of the two is given.
    """
    network, mask = new_expression_network(run.seed, sizes), smoothing_mask()
    batches = ExpressionBatches(face_kit, (pools.whole, pools.eyes, pools.lips), run.seed, device)
    if start and not run.begun:
        _start_from(network, trained_network(start, "expression", ExpressionNetwork), batches)
    network.to(device)
    detail = _detail_loss(face_kit, pools, run.seed, device)

    def loss(step: int) -> tuple[Tensor, dict[str, Tensor]]:
        parts = expression_losses(network, mask, batches.draw(step))
        if detail is not None:
            parts["detail"] = detail(network, mask, step)
        return torch.stack([*parts.values()]).sum(), parts

    hidden = [cast(nn.Parameter, layer.weight) for layer in network.deformation.layers[1:-1]]
    run.train(network, head_optimisers(network, hidden), loss, RECIPE)


def _start_from(network: ExpressionNetwork, trained: ExpressionNetwork, batches: ExpressionBatches) -> None:
    """Begin with the weights of a trained network, or with what a smaller one can keep of them."""
    if all(getattr(network.config, name) == getattr(trained.config, name) for name in ("width", "layers")):
        load_weights(network, trained.state_dict())
        return
    drawn = [batches.draw(step) for step in range(NARROWING_BATCHES)]
    points, identity, expression = (
        torch.cat([batch[name] for batch in drawn]) for name in ("posed", "identity", "expression")
    )
    anchors = without_anchors(identity, network.config.anchors)
    narrow_expression(network, trained, points, (identity, anchors, expression))


def _detail_loss(face_kit: FaceKit, pools: ExpressionPools, seed: int, device: torch.device) -> DetailLoss | None:
    if pools.detail is None and pools.identity_run is None:
        return None
    if pools.detail is None or pools.identity_run is None:
        raise EngineError("Lips and eyelids need both --identity-run and --detail-pool; give both or neither.")
    return DetailLoss(face_kit, pools.detail, pools.identity_run, seed, device)
