"""FID and KID of gray mouth crops, with InceptionV3's features and torchmetrics' arithmetic.

The network is the one of the FID paper (TensorFlow's of December 2015) as its PyTorch port names the weights; pictures
are scaled to 299 pixels a side as pytorch-fid does. FID of few pictures is too large, so compare equal numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.shared.errors import EngineError
from evaluation.tables.intervals import Estimate, around
from evaluation.tables.weight_files import load_weights

FILE = "pt_inception-2015-12-05-6726825d.pth"
WHERE = (
    f"FID and KID need InceptionV3's weights: get {FILE} from https://github.com/mseitzer/pytorch-fid/releases "
    "and give it with --inception."
)
PIXELS, BATCH = 299, 32
RESAMPLES, SEED = 10, 0
SUBSETS, SUBSET = 50, 100  # of KID: torchmetrics takes the mean over random subsets


class _Convolution(nn.Module):
    def __init__(self, inputs: int, outputs: int, size, stride: int = 1, padding=0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


def _mean(x: Tensor) -> Tensor:
    return functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def _largest(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, 3, 1, 1)


def _shrunk(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, 3, 2)


class _Mixed(nn.Module):
    """Chains of convolutions side by side, joined; each is a list of names of its layers, or of pairs of them.

    pool: what the last chain, or the input itself where `pool_alone`, begins with.
    """

    def __init__(
        self, layers: dict[str, nn.Module], chains: Sequence[Sequence], pool, pool_alone: bool = False
    ) -> None:
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)
        self.chains, self.pool, self.pool_alone = chains, pool, pool_alone

    def forward(self, x: Tensor) -> Tensor:
        results = []
        for chain in self.chains:
            y = self.pool(x) if chain is self.chains[-1] and not self.pool_alone else x
            for step in chain:
                parts = (step,) if isinstance(step, str) else step
                y = torch.cat([self.get_submodule(name)(y) for name in parts], dim=1)
            results.append(y)
        return torch.cat([*results, self.pool(x)] if self.pool_alone else results, dim=1)


class Inception(nn.Module):
    """Pictures (B, 3, H, W) in 0..1 to features (B, 2048 / divisor). divisor: of all widths, 1 for public weights."""

    def __init__(self, divisor: int = 1) -> None:
        super().__init__()
        self.width = partial(_divided, divisor=divisor)
        w = self.width
        self.Conv2d_1a_3x3 = _Convolution(3, w(32), 3, 2)
        self.Conv2d_2a_3x3 = _Convolution(w(32), w(32), 3)
        self.Conv2d_2b_3x3 = _Convolution(w(32), w(64), 3, padding=1)
        self.Conv2d_3b_1x1 = _Convolution(w(64), w(80), 1)
        self.Conv2d_4a_3x3 = _Convolution(w(80), w(192), 3)
        a = 3 * w(64) + w(96)
        self.Mixed_5b = _block_a(w, w(192), w(32))
        self.Mixed_5c = _block_a(w, 2 * w(64) + w(96) + w(32), w(64))
        self.Mixed_5d = _block_a(w, a, w(64))
        self.Mixed_6a = _block_b(w, a)
        b = w(384) + w(96) + a
        for name, channels in (("6b", 128), ("6c", 160), ("6d", 160), ("6e", 192)):
            self.add_module(f"Mixed_{name}", _block_c(w, b if name == "6b" else 4 * w(192), w(channels)))
        self.Mixed_7a = _block_d(w, 4 * w(192))
        self.Mixed_7b = _block_e(w, w(320) + w(192) + 4 * w(192), _mean)
        self.Mixed_7c = _block_e(w, w(320) + 4 * w(384) + w(192), _largest)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) in 0..1 -> (B, F)."""
        x = 2 * functional.interpolate(x, (PIXELS, PIXELS), mode="bilinear", align_corners=False) - 1
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = _shrunk(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(_shrunk(x))))
        for name in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c"):
            x = self.get_submodule(f"Mixed_{name}")(x)
        return x.mean(dim=(2, 3))


def load_inception(path: Path) -> Inception:
    """InceptionV3 with the user's weights, without its classifier. Raises EngineError for a file that is not its."""
    return load_weights(path, Inception(), FILE)


@torch.no_grad()
def picture_features(network: nn.Module, pictures: np.ndarray) -> Tensor:
    """Features (N, F) of gray pictures (N, H, W) in 0..1."""
    tensor = torch.from_numpy(np.ascontiguousarray(pictures, np.float32))[:, None].expand(-1, 3, -1, -1)
    return torch.cat([network(part) for part in tensor.split(BATCH)])


def frechet_distance(features: Sequence[Tensor], reference: Sequence[Tensor]) -> Estimate:
    """FID of features (N, F) of each clip against those of the reference's clips.

    The interval comes from clips that are drawn again with replacement. Raises EngineError for fewer than two pictures.
    """
    _check(features, reference)
    generator = np.random.default_rng(SEED)
    rows = generator.integers(len(features), size=(RESAMPLES if len(features) > 1 else 0, len(features)))
    values = [_frechet([features[clip] for clip in draw], reference) for draw in rows]
    return around(_frechet(features, reference), values, len(features))


def kernel_distance(features: Sequence[Tensor], reference: Sequence[Tensor]) -> Estimate:
    """KID: mean over random subsets of the pictures, with the interval of their deviation."""
    _check(features, reference)
    from torchmetrics.image.kid import KernelInceptionDistance

    ours, theirs = torch.cat(list(features)), torch.cat(list(reference))
    size = min(SUBSET, len(ours), len(theirs))
    metric = KernelInceptionDistance(feature=_Features(ours.shape[1]), subsets=SUBSETS, subset_size=size)
    torch.manual_seed(SEED)
    metric.update(theirs, real=True)
    metric.update(ours, real=False)
    mean, deviation = (float(value) for value in metric.compute())
    half = 1.96 * deviation / SUBSETS**0.5
    return Estimate(mean, (mean - half, mean + half), len(features))


class _Features(nn.Module):
    """What torchmetrics takes for a network: features pass as they are."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.num_features = size

    def forward(self, features: Tensor) -> Tensor:
        return features


def _frechet(features: Sequence[Tensor], reference: Sequence[Tensor]) -> float:
    from torchmetrics.image.fid import FrechetInceptionDistance

    metric = FrechetInceptionDistance(feature=_Features(features[0].shape[1]))
    metric.set_dtype(torch.float64)
    metric.update(torch.cat(list(reference)), real=True)
    metric.update(torch.cat(list(features)), real=False)
    return float(metric.compute())


def _check(features: Sequence[Tensor], reference: Sequence[Tensor]) -> None:
    if min(sum(map(len, features)), sum(map(len, reference))) < 2:
        raise EngineError("FID and KID need at least two pictures of the method and of the reference; give more clips.")


def _divided(width: int, divisor: int) -> int:
    return max(width // divisor, 1)


def _block_a(w, inputs: int, pooled: int) -> _Mixed:
    layers: dict[str, nn.Module] = {
        "branch1x1": _Convolution(inputs, w(64), 1),
        "branch5x5_1": _Convolution(inputs, w(48), 1),
        "branch5x5_2": _Convolution(w(48), w(64), 5, padding=2),
        "branch3x3dbl_1": _Convolution(inputs, w(64), 1),
        "branch3x3dbl_2": _Convolution(w(64), w(96), 3, padding=1),
        "branch3x3dbl_3": _Convolution(w(96), w(96), 3, padding=1),
        "branch_pool": _Convolution(inputs, pooled, 1),
    }
    double = [f"branch3x3dbl_{n}" for n in (1, 2, 3)]
    return _Mixed(layers, [["branch1x1"], ["branch5x5_1", "branch5x5_2"], double, ["branch_pool"]], _mean)


def _block_b(w, inputs: int) -> _Mixed:
    layers: dict[str, nn.Module] = {
        "branch3x3": _Convolution(inputs, w(384), 3, 2),
        "branch3x3dbl_1": _Convolution(inputs, w(64), 1),
        "branch3x3dbl_2": _Convolution(w(64), w(96), 3, padding=1),
        "branch3x3dbl_3": _Convolution(w(96), w(96), 3, 2),
    }
    return _Mixed(layers, [["branch3x3"], [f"branch3x3dbl_{n}" for n in (1, 2, 3)]], _shrunk, pool_alone=True)


def _wide_and_high(size: int) -> tuple[Callable[[int, int], nn.Module], Callable[[int, int], nn.Module]]:
    """Convolutions over a row and over a column of `size` points, which keep the picture's size."""
    edge = size // 2
    row = partial(_Convolution, size=(1, size), padding=(0, edge))
    return row, partial(_Convolution, size=(size, 1), padding=(edge, 0))


def _block_c(w, inputs: int, middle: int) -> _Mixed:
    out = w(192)
    wide, high = _wide_and_high(7)
    layers: dict[str, nn.Module] = {
        "branch1x1": _Convolution(inputs, out, 1),
        "branch7x7_1": _Convolution(inputs, middle, 1),
        "branch7x7_2": wide(middle, middle),
        "branch7x7_3": high(middle, out),
        "branch7x7dbl_1": _Convolution(inputs, middle, 1),
        "branch7x7dbl_2": high(middle, middle),
        "branch7x7dbl_3": wide(middle, middle),
        "branch7x7dbl_4": high(middle, middle),
        "branch7x7dbl_5": wide(middle, out),
        "branch_pool": _Convolution(inputs, out, 1),
    }
    chains = [[f"branch7x7_{n}" for n in (1, 2, 3)], [f"branch7x7dbl_{n}" for n in (1, 2, 3, 4, 5)]]
    return _Mixed(layers, [["branch1x1"], *chains, ["branch_pool"]], _mean)


def _block_d(w, inputs: int) -> _Mixed:
    middle = w(192)
    layers: dict[str, nn.Module] = {
        "branch3x3_1": _Convolution(inputs, middle, 1),
        "branch3x3_2": _Convolution(middle, w(320), 3, 2),
        "branch7x7x3_1": _Convolution(inputs, middle, 1),
        "branch7x7x3_2": _Convolution(middle, middle, (1, 7), padding=(0, 3)),
        "branch7x7x3_3": _Convolution(middle, middle, (7, 1), padding=(3, 0)),
        "branch7x7x3_4": _Convolution(middle, middle, 3, 2),
    }
    chains = [["branch3x3_1", "branch3x3_2"], [f"branch7x7x3_{n}" for n in (1, 2, 3, 4)]]
    return _Mixed(layers, chains, _shrunk, pool_alone=True)


def _block_e(w, inputs: int, pool) -> _Mixed:
    middle = w(384)
    wide, high = _wide_and_high(3)
    layers: dict[str, nn.Module] = {
        "branch1x1": _Convolution(inputs, w(320), 1),
        "branch3x3_1": _Convolution(inputs, middle, 1),
        "branch3x3_2a": wide(middle, middle),
        "branch3x3_2b": high(middle, middle),
        "branch3x3dbl_1": _Convolution(inputs, w(448), 1),
        "branch3x3dbl_2": _Convolution(w(448), middle, 3, padding=1),
        "branch3x3dbl_3a": wide(middle, middle),
        "branch3x3dbl_3b": high(middle, middle),
        "branch_pool": _Convolution(inputs, w(192), 1),
    }
    pairs = [("branch3x3_2a", "branch3x3_2b"), ("branch3x3dbl_3a", "branch3x3dbl_3b")]
    chains = [["branch3x3_1", pairs[0]], ["branch3x3dbl_1", "branch3x3dbl_2", pairs[1]]]
    return _Mixed(layers, [["branch1x1"], *chains, ["branch_pool"]], pool)
