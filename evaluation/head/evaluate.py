"""How far a bundle's head is from ICT-FaceKit on heads and expressions that it was not trained on.

Heads are measured one after the other; what is measured of one is kept in a file, so an interrupted run continues.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
from matplotlib.image import imsave

from engine.bundle import Bundle
from engine.head.loading import load_head
from engine.shared.files import replaced
from engine.shared.options import RESOLUTION
from evaluation.head.error_maps import error_maps
from evaluation.head.measurement import HeadEvaluation
from evaluation.head.poses import POSES
from evaluation.head.report import report_text
from evaluation.head.results import Results
from evaluation.shared.reports import write_report
from training.head.ict import FaceKit


def evaluate_head(
    face_kit: FaceKit,
    bundle: str | Path,
    output: Path,
    parts: Path,
    identities: int = 20,
    poses: int = POSES,
    first: int = 0,
) -> dict:
    """Write head.md, head.json and head_errors.png to `output`; returns what head.json holds.

    parts: folder for what is measured of each head; a head that lies there already, of the same weights and as many
    poses, is not measured again. first: the head to begin with, so that several processes can share the folder.
    """
    opened = Bundle.open(bundle)
    evaluation, folder = HeadEvaluation(face_kit, load_head(opened)), parts / f"{_digest(opened)}_{poses}"
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"head_{number:02}.npz" for number in range(identities)]
    for number in (*range(first, identities), *range(first)):
        if not paths[number].is_file():
            measured = evaluation.measure(number, poses)
            with replaced(paths[number]) as path, path.open("wb") as file:
                np.savez_compressed(file, **measured)
    template = evaluation.template
    results = Results([_arrays(path) for path in paths], evaluation.points.group, template.group[template.sample])
    summary = {"resolution": RESOLUTION} | results.summary()
    write_report(output, "head", summary, report_text)
    imsave(output / "head_errors.png", error_maps(evaluation, RESOLUTION))
    return summary


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)


def _digest(bundle: Bundle) -> str:
    """Twelve hexadecimal digits that stand for the head's weights."""
    digest = hashlib.sha256(json.dumps(bundle.config["head"], sort_keys=True).encode())
    for path in sorted(bundle.folder.glob("head_*.safetensors")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
