"""Meshes of a decoder that is being trained, as the paper's trainer exports them every ten epochs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from engine import Engine, ExpressionTake
from engine.motion import diffusion
from engine.motion.denoiser import ExpressionDecoder
from engine.ply import write_ply

FRAMES = 24  # a second
STEPS = 8


@dataclass
class Preview:
    """Attributes:
    engine: whose head is meshed. folder: of the exports. features: (N, A) of one validation sequence.
    every: epochs between two exports. resolution: cells per side.
    """

    engine: Engine
    folder: Path
    features: Tensor
    every: int
    resolution: int
    _exported: int = -1

    def write(self, decoder: ExpressionDecoder, epochs: float) -> None:
        """Mesh a second of the validation sequence, once every so many epochs: `folder/epoch_<n>/frame_<n>.ply`."""
        number = int(epochs) // self.every
        if number <= max(self._exported, 0):
            return
        self._exported = number
        codes = diffusion.sample(decoder.eval(), self.features[:FRAMES], seed=0, steps=STEPS).numpy()
        target = self.folder / f"epoch_{number * self.every:05d}"
        target.mkdir(parents=True, exist_ok=True)
        take = ExpressionTake(codes, decoder.config.code_rate)
        for surface in self.engine.surfaces(take, resolution=self.resolution):
            write_ply(target / f"frame_{surface.index:05d}.ply", surface)
