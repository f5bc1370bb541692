"""FLAME to landmarks and points of a whole sequence (the paper's supplement D, Eq. 21 to 31).

    python -m training.capture flame SET --data DATA                                  a model made from ICT-FaceKit
    python -m training.capture flame SET --flame flame2023.pkl --embedding landmark_embedding.npy

writes `SET/<ID>_<SEQ>/flame_2023_tracking/`: `flame_2023_template.ply`, the person at rest; `flame_meshes/frame_*.ply`,
expressions without the head's motion; and `parameters.npz`: scale, rotation (N, 3) axis-angle, translation (N, 3),
shape (S,), expression (N, E), from the model's metres to the world's.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation
from torch import Tensor

from engine.engine import SurfaceFrame
from engine.ply import write_ply
from engine.shared.errors import EngineError
from training.capture.alignment import Similarity, aligned
from training.capture.flame_model import FlameModel
from training.capture.layout import read_map, save_arrays
from training.capture.points import Cloud, read_cloud, read_landmarks

TRACKING = "flame_2023_tracking"
PARAMETERS = "parameters.npz"
# Weights of landmarks by region; the paper says that they differ and not how. The jaw's points slide along the edge.
JAW, EYES, MOUTH = slice(0, 17), slice(36, 48), slice(48, 68)
JAW_WEIGHT, EYE_WEIGHT, MOUTH_WEIGHT = 0.3, 1.5, 2.0
POINT_SHARE, PLANE_SHARE = 0.1, 0.9  # Eq. 24
# Eq. 31; the paper names none of the four. Lengths are metres.
LANDMARK_WEIGHT, GEOMETRY_WEIGHT, SIZE_WEIGHT, SMOOTH_WEIGHT = 2.0, 10.0, 2e-5, 5e-4
FARTHEST_MATCH = 0.010  # metres; points exist of the face alone, so the back of the head has no match
FIT_VERTICES = 2500  # of the model that take part in the geometry
MATCH_EVERY = 50  # steps


@dataclass(frozen=True)
class FlameOptions:
    """steps: of Adam. learning_rate: of coefficients; pose moves at a tenth of it."""

    steps: int = 2500
    learning_rate: float = 0.01
    seed: int = 0


@dataclass(frozen=True)
class FlameFit:
    """What was fitted to N frames.

    scale; rotation (N, 3) axis-angle; translation (N, 3); shape (S,); expression (N, E).
    """

    scale: float
    rotation: np.ndarray
    translation: np.ndarray
    shape: np.ndarray
    expression: np.ndarray

    def pose(self, frame: int) -> Similarity:
        """From the model's metres to the world's."""
        return Similarity(self.scale, Rotation.from_rotvec(self.rotation[frame]).as_matrix(), self.translation[frame])

    def still(self, model: FlameModel, frame: int | None = None) -> np.ndarray:
        """Vertices (V, 3) without the head's motion; at rest without a frame."""
        vertices = model.template + np.tensordot(self.shape, model.shapes, 1)
        return vertices if frame is None else vertices + np.tensordot(self.expression[frame], model.expressions, 1)


def fit_flame(
    model: FlameModel, landmarks: np.ndarray, clouds: list[Cloud], options: FlameOptions | None = None
) -> FlameFit:
    """Fit a model to landmarks (N, 68, 3), NaN where unknown, and to the points of N frames.

    Raises EngineError for a frame whose landmarks are not those of a face.
    """
    options = options or FlameOptions()
    start, counted = initial_poses(model, landmarks)
    fit = _Optimisation(model, landmarks, counted, clouds, start, options.seed)
    fit.run(options)
    return fit.result()


def initial_poses(model: FlameModel, landmarks: np.ndarray) -> tuple[list[Similarity], np.ndarray]:
    """Similarities from the template to landmarks (N, 68, 3), and which landmarks count, (N, 68)."""
    template = model.landmarks(model.template)
    poses, counted = [], np.zeros(landmarks.shape[:2], bool)
    for frame, measured in enumerate(landmarks):
        known = np.where(np.isfinite(template), measured, np.nan)
        try:
            pose, counted[frame] = aligned(np.nan_to_num(template), known)
        except ValueError as error:
            raise EngineError(
                f"The landmarks of frame {frame} are not those of a face ({error}); check the calibration's units and "
                "detect the landmarks again."
            ) from error
        poses.append(pose)
    return poses, counted


class _Optimisation:
    """The parameters and what they are fitted to, as tensors."""

    def __init__(
        self,
        model: FlameModel,
        landmarks: np.ndarray,
        counted: np.ndarray,
        clouds: list[Cloud],
        start: list[Similarity],
        seed: int,
    ) -> None:
        chosen = np.random.default_rng(seed).permutation(len(model.template))[:FIT_VERTICES]
        corners = model.triangles[model.landmark_triangles]
        rows = np.concatenate([chosen, corners.ravel()])
        self.vertices = len(chosen)
        self.template = _tensor(model.template[rows])
        self.shapes, self.expressions = (
            _tensor(basis[:, rows]).flatten(1) for basis in (model.shapes, model.expressions)
        )
        self.landmark_shares = _tensor(model.landmark_shares)
        self.landmarks = _tensor(np.nan_to_num(landmarks))
        self.landmark_weights = _tensor(counted * (model.landmark_triangles >= 0)) * _region_weights()
        self.clouds, self.trees = clouds, [cKDTree(cloud.points) for cloud in clouds]
        count = len(landmarks)
        rotations = Rotation.from_matrix(np.stack([pose.rotation for pose in start])).as_rotvec()
        self.scale = _tensor(float(np.median([pose.scale for pose in start]))).requires_grad_()
        self.rotation = _tensor(rotations).requires_grad_()
        self.translation = _tensor(np.stack([pose.translation for pose in start])).requires_grad_()
        self.shape = torch.zeros(len(self.shapes), requires_grad=True)
        self.expression = torch.zeros(count, len(self.expressions), requires_grad=True)

    def run(self, options: FlameOptions) -> None:
        """Adam over the whole sequence."""
        groups = [
            {"params": [self.shape, self.expression], "lr": options.learning_rate},
            {"params": [self.scale, self.rotation, self.translation], "lr": options.learning_rate / 10},
        ]
        optimiser = torch.optim.Adam(groups)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, options.steps)
        for step in range(options.steps):
            posed = self.posed()
            if step % MATCH_EVERY == 0:
                matches = self.matches(posed[:, : self.vertices].detach().numpy())
            optimiser.zero_grad()
            self.loss(posed, *matches).backward()
            optimiser.step()
            schedule.step()

    def posed(self) -> Tensor:
        """Vertices (N, rows, 3) in the world."""
        still = self.template.flatten() + self.shape @ self.shapes + self.expression @ self.expressions  # (N, rows 3)
        turned = still.unflatten(1, (-1, 3)) @ rotation_matrices(self.rotation).transpose(1, 2)
        return self.scale * turned + self.translation[:, None]

    def matches(self, posed: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Nearest points (N, V, 3), their normals, and whether they are near enough to count (N, V)."""
        points, normals, near = [], [], []
        for vertices, tree, cloud in zip(posed, self.trees, self.clouds, strict=True):
            distance, nearest = tree.query(vertices, distance_upper_bound=FARTHEST_MATCH)
            counts = np.isfinite(distance)
            nearest = np.where(counts, nearest, 0)
            points.append(cloud.points[nearest])
            normals.append(cloud.normals[nearest])
            near.append(counts)
        return _tensor(np.stack(points)), _tensor(np.stack(normals)), _tensor(np.stack(near))

    def loss(self, posed: Tensor, points: Tensor, normals: Tensor, near: Tensor) -> Tensor:
        """Eq. 31."""
        corners = posed[:, self.vertices :].unflatten(1, (-1, 3))  # (N, 68, 3, 3)
        found = torch.einsum("nlkc,lk->nlc", corners, self.landmark_shares)
        landmark = (self.landmark_weights * (found - self.landmarks).abs().sum(2)).mean()
        away = posed[:, : self.vertices] - points
        counted = near.sum(1).clamp_min(1)
        point = ((near * away.abs().sum(2)).sum(1) / counted).mean()
        plane = ((near * (away * normals).sum(2).abs()).sum(1) / counted).mean()
        geometry = POINT_SHARE * point + PLANE_SHARE * plane
        frames = len(self.expression)
        size = self.shape.norm() + self.expression.norm(dim=1).mean() + self._rigid_size()
        changes = self.expression.diff(dim=0).norm(dim=1).sum() / frames
        changes = changes + self._rigid_changes(frames)
        return LANDMARK_WEIGHT * landmark + GEOMETRY_WEIGHT * geometry + SIZE_WEIGHT * size + SMOOTH_WEIGHT * changes

    def _rigid_size(self) -> Tensor:
        """Eq. 27."""
        turned = self.rotation.norm(dim=1) / (2 * torch.pi)
        return (turned + self.translation.norm(dim=1) + self.scale.abs()).mean()

    def _rigid_changes(self, frames: int) -> Tensor:
        """Eq. 30."""
        turned = self.rotation.diff(dim=0).norm(dim=1) / (2 * torch.pi)
        return (turned + self.translation.diff(dim=0).norm(dim=1)).sum() / frames

    def result(self) -> FlameFit:
        """The parameters as they are."""
        rotation, translation, shape, expression = (
            value.detach().numpy().astype(np.float64)
            for value in (self.rotation, self.translation, self.shape, self.expression)
        )
        return FlameFit(self.scale.item(), rotation, translation, shape, expression)


def rotation_matrices(vectors: Tensor) -> Tensor:
    """Rotations (N, 3, 3) of axis-angle vectors (N, 3), with a gradient at zero too."""
    x, y, z = vectors.unbind(1)
    zero = torch.zeros_like(x)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).view(-1, 3, 3)
    return torch.linalg.matrix_exp(skew)


def fit_folder(folder: Path, model: FlameModel, options: FlameOptions) -> int:
    """Fit one sequence of a dataset that has points; the number of frames. What is complete is left alone.

    Raises EngineError when points are missing or are no face.
    """
    landmarks = read_landmarks(folder)
    target = folder / TRACKING
    if (target / PARAMETERS).is_file() and len(read_fit(folder).rotation) == len(landmarks):
        return len(landmarks)
    clouds = [read_cloud(folder, frame) for frame in range(len(landmarks))]
    fit = fit_flame(model, landmarks, clouds, options)
    shutil.rmtree(target, ignore_errors=True)
    (target / "flame_meshes").mkdir(parents=True)
    _write_mesh(target / "flame_2023_template.ply", model, fit.still(model))
    for frame in range(len(landmarks)):
        _write_mesh(target / "flame_meshes" / f"frame_{frame:05d}.ply", model, fit.still(model, frame))
    save_arrays(target / PARAMETERS, **{name: np.asarray(getattr(fit, name)) for name in _FIELDS})
    return len(landmarks)


_FIELDS = ("scale", "rotation", "translation", "shape", "expression")


def read_fit(folder: Path) -> FlameFit:
    """The fit of a dataset's sequence. Raises EngineError when there is none."""
    path = folder / TRACKING / PARAMETERS
    if not path.is_file():
        raise EngineError(f"{folder} has no {TRACKING}/{PARAMETERS}; run python -m training.capture flame first.")
    values = {name: read_map(path, name) for name in _FIELDS}
    count = len(values["rotation"])
    if values["rotation"].shape != (count, 3) or values["translation"].shape != (count, 3):
        raise EngineError(f"{path} is no fit of FLAME; run python -m training.capture flame again.")
    return FlameFit(scale=float(values.pop("scale")), **values)


def _write_mesh(path: Path, model: FlameModel, vertices: np.ndarray) -> None:
    vertices = vertices.astype(np.float32)
    nothing = np.zeros((len(vertices), 0), np.uint8)
    write_ply(path, SurfaceFrame(0, 0.0, vertices, model.triangles.astype(np.int32), nothing, [], vertices))


def _region_weights() -> Tensor:
    weights = torch.ones(68)
    weights[JAW], weights[EYES], weights[MOUTH] = JAW_WEIGHT, EYE_WEIGHT, MOUTH_WEIGHT
    return weights


def _tensor(values: np.ndarray | float) -> Tensor:
    return torch.as_tensor(np.asarray(values), dtype=torch.float32)
