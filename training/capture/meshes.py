"""Surfaces of fitted codes as PLY files: `nphm_tracking/nphm_meshes/frame_<number>.ply`."""

from __future__ import annotations

from pathlib import Path

from engine.engine import Engine
from engine.motion.codes import ExpressionTake
from engine.ply import write_ply
from training.capture.expression_fitting import IDENTITY, read_identity
from training.paper_dataset import CODES, read_codes


def write_meshes(folder: Path, engine: Engine, resolution: int) -> None:
    """Write the surface of every code of a dataset's sequence that has none yet; metres, Blender's axes.

    Raises EngineError when codes or identity are missing.
    """
    codes = read_codes(folder)
    target = folder / CODES.parent / "nphm_meshes"
    missing = [frame for frame in range(len(codes)) if not (target / f"frame_{frame:05d}.ply").is_file()]
    if not missing:
        return
    target.mkdir(parents=True, exist_ok=True)
    identity = read_identity(folder / CODES.parent / IDENTITY, engine.head)
    take = ExpressionTake(codes[missing])
    surfaces = engine.surfaces(take, identity=identity, resolution=resolution)
    for frame, surface in zip(missing, surfaces, strict=True):
        write_ply(target / f"frame_{frame:05d}.ply", surface)
