"""Vertices of FLAME takes: what the FLAME baseline's decoder made, as other methods write theirs, and for Blender.

    python -m training.flame_sequences TAKES --flame flame2023.pkl --embedding landmark_embedding.npy --output MESHES
    python -m training.flame_sequences TAKES --data DATA --output MESHES          the model made from ICT-FaceKit

TAKES is what `python -m training.perform` made of a bundle that was trained with `--target flame`. For every take:
`MESHES/<name>.npy` (N, V, 3), which `python -m evaluation.tables --vertices` reads, and `MESHES/<name>.pc2`, which
Blender's Mesh Cache modifier plays on the imported `MESHES/template.ply`. All in metres and Blender's axes.
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
from pathlib import Path

import numpy as np

from engine.engine import SurfaceFrame
from engine.ply import write_ply
from engine.shared.errors import EngineError
from engine.shared.files import replaced
from engine.shared.units import CODE_RATE
from training.capture.flame_model import FlameModel, flame_from_face_kit, read_flame
from training.head.ict import ARCHIVE, FaceKit
from training.paper_dataset import read_sequences
from training.run.options import exit_status


def positions(model: FlameModel, coefficients: np.ndarray) -> np.ndarray:
    """Vertices (N, V, 3) float32 of the mean person, metres and Blender's axes, of coefficients (N, E).

    Raises EngineError when the model has another number of expression components.
    """
    count = coefficients.shape[1]
    if count != len(model.expressions):
        raise EngineError(
            f"The takes have {count} coefficients and this FLAME {len(model.expressions)} expression components; name "
            "the one that was fitted."
        )
    return in_blender(model.template + np.tensordot(coefficients, model.expressions, 1))


def in_blender(points: np.ndarray) -> np.ndarray:
    """Points (..., 3) with y up and z forward as float32 in Blender's axes."""
    x, y, z = np.moveaxis(np.asarray(points, np.float32), -1, 0)
    return np.stack([x, -z, y], axis=-1)


def write_pc2(path: Path, frames: np.ndarray) -> None:
    """A point cache of frames (N, V, 3), one a frame of the scene from the first on."""
    with replaced(path) as part, part.open("wb") as file:
        file.write(struct.pack("<12siiffi", b"POINTCACHE2", 1, frames.shape[1], 0.0, 1.0, len(frames)))
        file.write(np.ascontiguousarray(frames, "<f4").tobytes())


def write_sequences(takes: Path, model: FlameModel, output: Path) -> list[str]:
    """Write template, vertices and caches of all takes; their names. Raises EngineError for takes that do not fit."""
    found = read_sequences(takes, 1)
    moved = {sequence.name: positions(model, sequence.codes) for sequence in found}
    output.mkdir(parents=True, exist_ok=True)
    rest = in_blender(model.template)
    faces, nothing = model.triangles.astype(np.int32), np.zeros((len(rest), 0), np.uint8)
    write_ply(output / "template.ply", SurfaceFrame(0, 0.0, rest, faces, nothing, [], rest))
    axes = {"fps": CODE_RATE, "up": "z", "forward": "-y"}
    (output / "sequence.json").write_text(json.dumps(axes) + "\n", "utf-8")
    for name, frames in moved.items():
        with replaced(output / f"{name}.npy") as part, part.open("wb") as file:
            np.save(file, frames)
        write_pc2(output / f"{name}.pc2", frames)
    return sorted(moved)


def main(arguments: list[str] | None = None) -> int:
    """Command line. Returns 0, or 2 after printing one line that says what to put right."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser("python -m training.flame_sequences", description=__doc__, formatter_class=plain)
    add = parser.add_argument
    add("takes", type=Path, help="folder of takes of FLAME's coefficients")
    add("--data", type=Path, help="data folder with head/, for the model made from ICT-FaceKit")
    add("--flame", type=Path, help="generic_model.pkl or flame2023.pkl, your own copy")
    add("--embedding", type=Path, help="its landmark_embedding.npy")
    add("--output", type=Path, required=True, help="folder of vertex sequences")
    options = parser.parse_args(arguments)

    def command() -> None:
        if options.flame and options.embedding:
            model = read_flame(options.flame, options.embedding)
        elif options.data and not options.flame:
            model = flame_from_face_kit(FaceKit.load(options.data / ARCHIVE))
        else:
            raise EngineError("Name --flame with --embedding, or --data for the model made from ICT-FaceKit.")
        names = write_sequences(options.takes, model, options.output)
        print(f"{options.output}: {len(names)} sequences")

    return exit_status(command)


if __name__ == "__main__":
    sys.exit(main())
