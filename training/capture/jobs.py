"""The steps that take long, one job a sequence, on the cores of this machine or on a Dask cluster (docs/farm.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

from engine.engine import Engine
from farm.job import Job
from training.capture.expression_fitting import FittingOptions, fit_folder
from training.capture.flame_fitting import PARAMETERS, TRACKING, FlameOptions
from training.capture.flame_fitting import fit_folder as fit_flame_folder
from training.capture.flame_model import FlameModel, flame_from_face_kit, read_flame
from training.capture.meshes import write_meshes
from training.head.ict import ARCHIVE, FaceKit
from training.paper_dataset import CODES


def flame_jobs(folders: Sequence[Path], model: dict[str, str], steps: int) -> list[Job]:
    """A job for each sequence. model: {"data": folder} or {"flame": file, "embedding": file}."""
    settings = model | {"steps": steps}
    return [Job(folder.name, ((folder / TRACKING / PARAMETERS).resolve(),), settings=settings) for folder in folders]


def fit_flame(job: Job) -> None:
    """Fit FLAME to one sequence. Raises EngineError for what a person can put right."""
    settings = dict(job.settings)
    options = FlameOptions(settings.pop("steps"))
    fit_flame_folder(job.outputs[0].parents[1], _model(**settings), options)


def expression_jobs(
    folders: Sequence[Path], bundle: str, device: str, options: FittingOptions, meshes: int
) -> list[Job]:
    """A job for each sequence. meshes: points a side of the surfaces that are written too, 0 for none."""
    settings = {"bundle": bundle, "device": device, "options": asdict(options), "meshes": meshes}
    return [
        Job(
            folder.name,
            ((folder / CODES).resolve(),) + (((folder / CODES.parent / "nphm_meshes").resolve(),) if meshes else ()),
            settings=settings,
        )
        for folder in folders
    ]


def fit_expressions(job: Job) -> None:
    """Fit the codes of one sequence, and write its surfaces. Raises EngineError for what a person can put right."""
    folder, settings = job.outputs[0].parents[1], job.settings
    engine = _engine(settings["bundle"], settings["device"])
    fit_folder(folder, engine.head, FittingOptions(**settings["options"]))
    if settings["meshes"]:
        write_meshes(folder, engine, settings["meshes"])


@lru_cache(1)
def _model(data: str = "", flame: str = "", embedding: str = "") -> FlameModel:
    if data:
        return flame_from_face_kit(FaceKit.load(Path(data) / ARCHIVE))
    return read_flame(Path(flame), Path(embedding))


@lru_cache(1)
def _engine(bundle: str, device: str) -> Engine:
    return Engine.load(bundle, device=device)
