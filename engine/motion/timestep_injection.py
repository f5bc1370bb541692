"""Five ways to bring the diffusion time step into a decoder block (FaceTalk, arXiv 2312.08459, Table 4 and Fig. 10).

FiLM is the paper's choice and described there; of the others it gives a name and a sketch. What is open is settled
in each class. Every way but the first follows self-attention, cross-attention and feed-forward, before the result joins
the residual stream, and takes the results x (B, N, W) and the embedded time step (B, W).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

SQUEEZE = 16  # reduction ratio of arXiv 1709.01507


class InputOnly(nn.Module):
    """Blocks get nothing of the time step, which was added to the projected codes (the paper's row "Input")."""

    def __init__(self, width: int) -> None:
        super().__init__()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """x (B, N, W) as it is."""
        return x


class FiLM(nn.Module):
    """Feature-wise modulation by the time step: Mish, then a Linear to scale and shift (Eq. 19, with 1 + scale).

    rank: of the Linear as a product of two, or None for a whole one. Embedded time steps lie along one curve, of
    which a small rank loses little.
    """

    def __init__(self, width: int, rank: int | None = None) -> None:
        super().__init__()
        narrow = [] if rank is None else [nn.Linear(width, rank, bias=False)]
        self.to_scale_and_shift = nn.Sequential(nn.Mish(), *narrow, nn.Linear(rank or width, 2 * width))

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """x (B, N, W), time (B, W) -> (B, N, W)."""
        scale, shift = self.to_scale_and_shift(time)[:, None].chunk(2, dim=-1)  # (B, 1, W) each
        return x * (1 + scale) + shift


class ScaleShift(nn.Module):
    """Normalised features, scaled and shifted: the scale-shift norm of arXiv 2105.05233 (SiLU, Linear), per frame."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.to_scale_and_shift = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """x (B, N, W), time (B, W) -> (B, N, W)."""
        scale, shift = self.to_scale_and_shift(time)[:, None].chunk(2, dim=-1)  # (B, 1, W) each
        return functional.layer_norm(x, x.shape[-1:]) * (1 + scale) + shift


class SqueezeExcitation(nn.Module):
    """Gates between 0 and 1 for every channel from a bottleneck (arXiv 1709.01507, Eq. 3 and 4).

    The time step is the channels' descriptor in place of a mean over all frames, which would show a frame its future.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        narrow = max(1, width // SQUEEZE)
        self.gate = nn.Sequential(nn.Linear(width, narrow), nn.ReLU(), nn.Linear(narrow, width), nn.Sigmoid())

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """x (B, N, W), time (B, W) -> (B, N, W)."""
        return x * self.gate(time)[:, None]


class TimestepAttention(nn.Module):
    """Dot-product attention of every frame to two keys, itself and the time step.

    With the time step as the only key the softmax would be 1: nothing of codes or audio would come through.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        """x (B, N, W), time (B, W) -> (B, N, W)."""
        query = self.query(x) / math.sqrt(x.shape[-1])
        own_key, own_value = self.key_value(x).chunk(2, dim=-1)  # (B, N, W) each
        time_key, time_value = self.key_value(time)[:, None].chunk(2, dim=-1)  # (B, 1, W) each
        # The softmax over two scores is the sigmoid of their difference.
        share = torch.sigmoid((query * (time_key - own_key)).sum(dim=-1, keepdim=True))  # (B, N, 1)
        return own_value + share * (time_value - own_value)


INJECTIONS = {
    "film": FiLM,
    "input": InputOnly,
    "scale-shift": ScaleShift,
    "squeeze-excitation": SqueezeExcitation,
    "attention": TimestepAttention,
}
