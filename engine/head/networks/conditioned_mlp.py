"""A coordinate MLP whose condition is constant over a frame, in the two forms that the NPHM family and the starter use.

'concatenate' appends the condition to the coordinates (DeepSDF; NPHM section "deformation network"). 'film' scales and
shifts every layer's pre-activation (FiLM, Perez et al. 2018). Either way the condition is folded into weights and
biases once per frame, so that a point costs the same as in an unconditioned MLP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...shared.errors import EngineError

SOFTPLUS_BETA = 100.0
# Below this argument softplus is less than 2e-13. Its exponential would soon be a denormal number, and those take ten
# times as long.
LEAST_SOFTPLUS_ARGUMENT = -0.25
# MKL, behind addmm, uses half of what an AMD core can do; oneDNN computes the same float32 products with all of it.
# It compiles a kernel for each shape, so the number of rows is kept to a few values; strided weights are slow there.
ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
ROW_BLOCK, ROW_STEP = 2048, 128
FEW_ROWS = 256  # with fewer, oneDNN takes longer to arrange the weights than it saves


def in_row_blocks(network: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
    """network(rows) for rows (P, in), in blocks whose hidden layers stay in a core's cache and whose shapes recur."""
    if torch.is_grad_enabled() or rows.device.type != "cpu" or len(rows) < FEW_ROWS:
        return network(rows)
    padded = (functional.pad(block, (0, 0, 0, -len(block) % ROW_STEP)) for block in rows.split(ROW_BLOCK))
    return torch.cat([network(block) for block in padded])[: len(rows)]


def affine(rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """rows (P, in) times weight (out, in) transposed, plus bias (out,) or (P, out); (P, out)."""
    recurring = rows.device.type == "cpu" and rows.dtype == torch.float32 and len(rows) % ROW_STEP == 0
    if ONEDNN and recurring and bias.ndim == 1 and not torch.is_grad_enabled():
        return torch.ops.mkldnn._linear_pointwise(rows, weight.contiguous(), bias, "none", [], "")
    return torch.addmm(bias, rows, weight.T)


def activate(values: Tensor, name: str) -> Tensor:
    """Apply the activation 'softplus' (beta 100, as in the NPHM family) or 'silu' to values of any shape."""
    inplace = not torch.is_grad_enabled()
    if name == "softplus":
        values = values.clamp_min_(LEAST_SOFTPLUS_ARGUMENT) if inplace else values
        return functional.softplus(values, beta=SOFTPLUS_BETA)
    return functional.silu(values, inplace=inplace)


@dataclass
class FoldedLayer:
    """One layer with the condition folded in: h -> weight h + coordinate_weight x + bias.

    h is the layer below, or the coordinates x for the first layer. weight (out, in) or (B, out, in); coordinate_weight
    (out, 3) or (B, out, 3), or None where the coordinates do not enter again; bias (B, out).
    """

    weight: Tensor
    coordinate_weight: Tensor | None
    bias: Tensor


class ConditionedMLP(nn.Module):
    """MLP on 3-D coordinates with a per-frame condition.

    `layers` hidden layers of `width`, then a linear layer to `outputs`. The input enters again before hidden layer
    layers // 2, where the sum is divided by sqrt 2. `skip` says how: 'widen' (that layer takes width + input columns,
    backward NPHM and MonoNPHM) or 'narrow' (the layer before it is narrower by the input, released NPHM).
    With 'film' the coordinates alone enter, and `condition_width` is the hidden width of the FiLM generator.
    """

    def __init__(
        self,
        condition: int,
        outputs: int,
        layers: int,
        width: int,
        conditioning: str,
        activation: str,
        skip: str = "widen",
        condition_width: int = 0,
    ):
        super().__init__()
        if conditioning not in ("concatenate", "film") or activation not in ("softplus", "silu"):
            raise EngineError(
                f"The head's conditioning '{conditioning}' or activation '{activation}' is unknown; "
                "use concatenate or film, softplus or silu."
            )
        self.conditioning, self.activation, self.width, self.hidden_layers = conditioning, activation, width, layers
        self.skip_layer = layers // 2
        entering = 3 + condition if conditioning == "concatenate" else 3
        columns = [entering] + [width] * layers
        rows = [width] * layers + [outputs]
        if skip == "widen":
            columns[self.skip_layer] += entering
        else:
            rows[self.skip_layer - 1] -= entering
        self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in zip(columns, rows, strict=True))
        if conditioning == "film":
            self.film = nn.Sequential(
                nn.Linear(condition, condition_width), nn.SiLU(), nn.Linear(condition_width, 2 * layers * width)
            )
            last = last_linear(self.film)
            nn.init.normal_(last.weight, std=0.1 / sqrt(condition_width))
            nn.init.zeros_(last.bias)

    def fold(self, condition: Tensor) -> list[FoldedLayer]:
        """Fold the condition (B, condition) into the layers; do this once per frame and reuse it for every point."""
        folded = []
        if self.conditioning == "film":
            film = self.film(condition).view(-1, self.hidden_layers, 2, self.width)  # (B, layers, 2, width)
        for number, layer in enumerate(linear_layers(self.layers)):
            weight, coordinates, conditioned = self._split(number, layer)
            bias: Tensor = layer.bias
            if self.conditioning == "concatenate" and conditioned is not None:
                bias = bias + condition @ conditioned.T  # (B, out)
            if self.conditioning == "film" and number < self.hidden_layers:
                scale, shift = 1.0 + film[:, number, 0], film[:, number, 1]  # (B, width)
                weight = scale[:, :, None] * weight  # (B, width, in)
                coordinates = None if coordinates is None else scale[:, :, None] * coordinates
                bias = scale * bias + shift
            folded.append(FoldedLayer(weight, coordinates, bias.expand(condition.shape[0], -1)))
        return folded

    def _split(self, number: int, layer: nn.Linear) -> tuple[Tensor, Tensor | None, Tensor | None]:
        """The layer's columns for what comes from the layer below, for coordinates that enter again, for the condition.

        Coordinates are what comes to the first layer.
        """
        if number == 0:
            return layer.weight[:, :3], None, layer.weight[:, 3:]
        if number == self.skip_layer:
            hidden = linear_layers(self.layers)[number - 1].out_features
            inputs = layer.weight[:, hidden:] / sqrt(2)
            return layer.weight[:, :hidden] / sqrt(2), inputs[:, :3], inputs[:, 3:]
        return layer.weight, None, None

    def evaluate(self, points: Tensor, folded: list[FoldedLayer]) -> Tensor:
        """Evaluate (B, P, 3) points with layers folded from B conditions; returns (B, P, outputs)."""
        if points.shape[0] == 1:
            return in_row_blocks(lambda block: self._evaluate_one(block, folded), points[0])[None]
        hidden = points
        for number, layer in enumerate(folded):
            total = layer.bias[:, None]  # (B, 1, out)
            if layer.coordinate_weight is not None:
                total = total + points @ layer.coordinate_weight.mT  # (B, P, out)
            total = total + hidden @ layer.weight.mT
            hidden = activate(total, self.activation) if number < self.hidden_layers else total
        return hidden

    def _evaluate_one(self, points: Tensor, folded: list[FoldedLayer]) -> Tensor:
        """`evaluate` for one condition: fused matrix products on (P, 3) points; returns (P, outputs)."""
        hidden = points
        for number, layer in enumerate(folded):
            total = affine(hidden, layer.weight.view(-1, layer.weight.shape[-1]), layer.bias[0])  # (P, out)
            if layer.coordinate_weight is not None:
                total = torch.addmm(total, points, layer.coordinate_weight.view(-1, 3).T)
            hidden = activate(total, self.activation) if number < self.hidden_layers else total
        return hidden

    def forward(self, points: Tensor, condition: Tensor) -> Tensor:
        """Values (B, P, outputs) at points (B, P, 3) for conditions (B, condition)."""
        return self.evaluate(points, self.fold(condition))


def linear_layers(layers: Iterable[nn.Module]) -> list[nn.Linear]:
    """The linear ones among some layers."""
    return [layer for layer in layers if isinstance(layer, nn.Linear)]


def last_linear(layers: Iterable[nn.Module]) -> nn.Linear:
    """The last linear layer of several."""
    return linear_layers(layers)[-1]
