"""What a folder or file that a person chose is, by the names that the authors give to files."""

from __future__ import annotations

import re
from pathlib import Path

from ..bundle import is_bundle
from ..shared.errors import EngineError

CHECKPOINT = re.compile(r"checkpoint_epoch_(\d+)\.tar")
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
SPEECH_SUFFIXES = (".pt", ".pth", ".bin", ".safetensors")


def recognise(source: Path) -> str:
    """ "bundle", "nphm" or "wav2vec2", by names alone. Raises EngineError for anything else."""
    if is_bundle(source):
        return "bundle"
    if source.is_file():
        if CHECKPOINT.fullmatch(source.name):
            return "nphm"
        if source.suffix in SPEECH_SUFFIXES:
            return "wav2vec2"
    elif source.is_dir():
        if any((source / name).is_file() for name in WEIGHT_FILES):
            return "wav2vec2"
        if any(CHECKPOINT.fullmatch(path.name) for path in source.rglob("*.tar")):
            return "nphm"
    raise EngineError(
        f"{source} is neither a model bundle nor an NPHM, MonoNPHM or wav2vec 2.0 model; choose the folder "
        "that its authors publish."
    )
