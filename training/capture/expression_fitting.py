"""Expression codes to points (the paper's section 5, Eq. 16 to 18).

    python -m training.capture expressions SET

writes `SET/<ID>_<SEQ>/nphm_tracking/nphm_expressions/frame_<number>.npz`, one code a file, and
`nphm_tracking/fitting.npz`, from which a stopped run goes on. The identity is known (`nphm_tracking/identity.npy`), and
the head's pose is that of the FLAME fit.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine.head import NeuralHead
from engine.head.networks.identity import IdentityNetwork, IdentityState
from engine.shared.errors import EngineError
from engine.shared.hostile_files import UNREADABLE, read_npy, read_npz
from engine.shared.units import METRES_PER_UNIT
from farm.job import whole_folder
from training.capture.alignment import Similarity
from training.capture.flame_fitting import read_fit
from training.capture.layout import save_arrays
from training.capture.points import read_cloud, read_landmarks
from training.paper_dataset import CODES

IDENTITY, PROGRESS = "identity.npy", "fitting.npz"
LARGEST_IDENTITY = 1 << 20
FIRST_RATE_SHARE = 0.6  # of the steps; the paper's 300 of 500
LATER_RATE = 0.1  # of the learning rate after that


@dataclass(frozen=True)
class FittingOptions:
    """Numbers of the paper.

    window, overlap: frames that are fitted together, and how many of them the window before has fitted.
    points: drawn anew of each frame at each step. distance, temporal, size: the weights of Eq. 16.
    """

    window: int = 10
    overlap: int = 2
    points: int = 5000
    steps: int = 500
    learning_rate: float = 1e-3
    distance: float = 10.0
    temporal: float = 0.1
    size: float = 0.0025
    seed: int = 0


class ExpressionFitter:
    """Fits expression codes of one identity to points in model units."""

    def __init__(self, head: NeuralHead, identity: np.ndarray, options: FittingOptions) -> None:
        if head.deforms_forward:
            raise EngineError("This head deforms forward, so points cannot be fitted; use a backward one.")
        self.head, self.options = head, options
        with torch.no_grad():
            self.code = torch.as_tensor(identity, dtype=torch.float32, device=head.device)[None]
            self.state = head.identity.prepare(self.code)

    def distances(self, points: Tensor, codes: Tensor) -> Tensor:
        """Signed distances (n, P) at posed points (n, P, 3) of codes (n, E), differentiable in the codes."""
        count = len(codes)
        anchors = self.state.anchors.expand(count, -1, -1)
        folded = self.head.expression.fold(self.code.expand(count, -1), anchors, codes)
        moved = self.head.expression.evaluate(points, folded)
        mask = self.head.mask_weights(points.reshape(-1, 3))
        if mask is not None:
            weights = mask.view(*points.shape[:2], 1)
            smoothing = self.head.smoothing
            hyper = weights * moved if smoothing is None or smoothing.config.scale_hyper else moved
            moved = torch.cat([weights * moved[..., :3], hyper[..., 3:]], 2)
        canonical = torch.cat([points + moved[..., :3], moved[..., 3:]], 2)
        network = cast(IdentityNetwork, self.head.identity)
        return network.evaluate(canonical.flatten(0, 1)[None], cast(IdentityState, self.state)).view(count, -1)

    def loss(self, points: Tensor, codes: Tensor) -> Tensor:
        """Eq. 16 of the codes (n, E) of frames in a row at points (n, P, 3)."""
        options = self.options
        distance = self.distances(points, codes).abs().mean(1).sum()
        changes = functional.huber_loss(codes[1:], codes[:-1], reduction="sum")
        return options.distance * distance + options.temporal * changes + options.size * codes.norm(dim=1).sum()

    def fit(self, clouds: list[Tensor], start: Tensor, seed: tuple[int, ...]) -> Tensor:
        """Codes (n, E) of frames in a row whose points (P, 3) are given, from starting codes (n, E)."""
        options = self.options
        codes = start.clone().requires_grad_()
        optimiser = torch.optim.Adam([codes], lr=options.learning_rate)
        generator = torch.Generator().manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
        for step in range(options.steps):
            if step == round(FIRST_RATE_SHARE * options.steps):
                optimiser.param_groups[0]["lr"] *= LATER_RATE
            drawn = [cloud[torch.randint(len(cloud), (options.points,), generator=generator)] for cloud in clouds]
            optimiser.zero_grad()
            self.loss(torch.stack(drawn).to(self.head.device), codes).backward()
            optimiser.step()
        return codes.detach()


@dataclass(frozen=True)
class Progress:
    """Codes (n, E) of the first frames of a sequence, after some windows."""

    codes: np.ndarray
    windows: int = 0


def windows(frames: int, window: int, overlap: int) -> list[range]:
    """The frames that are fitted together, each window after the other."""
    starts = [0, *range(window - overlap, max(frames - overlap, 1), window - overlap)]
    return [range(start, min(start + window, frames)) for start in starts]


def fit_sequence(
    fitter: ExpressionFitter,
    clouds: Callable[[int], np.ndarray],
    frames: int,
    progress: Progress,
    keep: Callable[[Progress], None],
) -> np.ndarray:
    """Codes (N, E) of a sequence, window by window.

    clouds(frame): points (P, 3) in model units. progress: where an earlier run stopped. keep: called after each window.

    Frames that two windows share are fitted in both, in the second one from what the first one found; new frames start
    at the last code that is known, the very first at zeros.
    """
    options, device = fitter.options, fitter.head.device
    codes = torch.as_tensor(progress.codes, dtype=torch.float32)
    for number, part in enumerate(windows(frames, options.window, options.overlap)):
        if number < progress.windows:
            continue
        last = codes[-1] if len(codes) else torch.zeros(fitter.head.expression_dimensions)
        start = torch.cat([codes[part.start :], last.expand(part.stop - len(codes), -1)])
        points = [torch.as_tensor(clouds(frame), dtype=torch.float32) for frame in part]
        found = fitter.fit(points, start.to(device), (options.seed, number)).cpu()
        codes = torch.cat([codes[: part.start], found])
        keep(Progress(codes.numpy(), number + 1))
    return codes.numpy()


def fit_folder(folder: Path, head: NeuralHead, options: FittingOptions) -> int:
    """Fit the codes of a dataset's sequence that has points and a FLAME fit; the number of frames.

    A run that was stopped goes on after its last window; one with other options begins again. What is complete is left
    alone. Raises EngineError when points, pose or identity are missing.
    """
    tracking = folder / CODES.parent
    pose, frames = read_fit(folder), len(read_landmarks(folder))
    if len(pose.rotation) != frames:
        raise EngineError(
            f"{folder} has points of {frames} frames and poses of {len(pose.rotation)}; run python -m training.capture "
            "flame again."
        )
    settings = json.dumps(asdict(options) | {"head": head.expression_dimensions}, sort_keys=True)
    progress = _read_progress(tracking / PROGRESS, settings, head.expression_dimensions)
    if len(progress.codes) == frames == len(list((folder / CODES).glob("frame_*.npz"))):
        return frames
    fitter = ExpressionFitter(head, read_identity(tracking / IDENTITY, head), options)

    def clouds(frame: int) -> np.ndarray:
        return to_model_units(pose.pose(frame), read_cloud(folder, frame).points)

    def keep(reached: Progress) -> None:
        save_arrays(
            tracking / PROGRESS, codes=reached.codes, windows=np.array(reached.windows), settings=np.array(settings)
        )

    codes = fit_sequence(fitter, clouds, frames, progress, keep)
    write_codes(folder, codes)
    return frames


def write_codes(folder: Path, codes: np.ndarray) -> None:
    """Write codes (N, E) as the frames of a dataset's sequence, in the place of those that are there."""
    with whole_folder(folder / CODES) as target:
        for frame, code in enumerate(codes):
            save_arrays(target / f"frame_{frame:05d}.npz", expression=code.astype(np.float32))


def to_model_units(pose: Similarity, points: np.ndarray) -> np.ndarray:
    """Points (P, 3) of the world, metres, in the head's model units; pose: from FLAME's metres to the world."""
    return (pose.inverse(points) / METRES_PER_UNIT).astype(np.float32)


def read_identity(path: Path, head: NeuralHead) -> np.ndarray:
    """An identity code of a head. Raises EngineError when it is missing or of another head."""
    try:
        code = read_npy(path, LARGEST_IDENTITY)
    except FileNotFoundError as error:
        raise EngineError(f"{path} is missing; put the person's identity code there (zeros: the mean head).") from error
    except UNREADABLE as error:
        raise EngineError(f"{path} is damaged or no array; put the person's identity code there again.") from error
    if code.shape != (head.identity_dimensions,) or code.dtype.kind != "f" or not np.isfinite(code).all():
        raise EngineError(
            f"{path} has shape {code.shape}, but this head's identity codes are {head.identity_dimensions} finite "
            "numbers; choose the bundle that the identity belongs to."
        )
    return code.astype(np.float32)


def _read_progress(path: Path, settings: str, dimensions: int) -> Progress:
    """What an earlier run with the same settings reached; nothing when there is none, or it cannot be read."""
    nothing = Progress(np.zeros((0, dimensions), np.float32))
    try:
        found = read_npz(path)
        codes = found["codes"]
        if str(found["settings"]) != settings or codes.ndim != 2 or codes.shape[1] != dimensions:
            return nothing
        return Progress(codes.astype(np.float32), int(found["windows"]))
    except UNREADABLE:
        return nothing
