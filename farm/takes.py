"""Sampling takes as jobs. A worker keeps its engine from one job to the next."""

from __future__ import annotations

from dataclasses import fields
from functools import lru_cache
from typing import Any

from engine import Engine
from engine.shared.errors import EngineError
from engine.shared.options import DEVICE, STARTER
from engine.shared.style import Style
from farm.job import Job

SAMPLING = {"start": float, "duration": float, "seed": int, "steps": int, "sampler": str, "guidance": float}
SAMPLING |= {"strength": float}
STYLE = tuple(field.name for field in fields(Style))
COLUMNS = frozenset({"audio", "output", "bundle", "device", *SAMPLING, *STYLE})


def sample_take(job: Job) -> None:
    """Write the take of a job: settings `audio` and those of `python -m engine sample` by their names."""
    given = {name: value for name, value in job.settings.items() if name not in ("audio", "bundle", "device")}
    unknown = sorted(given.keys() - SAMPLING.keys() - set(STYLE))
    if unknown:
        raise EngineError(f"A take has no setting '{unknown[0]}'; known are {', '.join(sorted(COLUMNS))}.")
    engine = _engine(job.settings.get("bundle", STARTER), job.settings.get("device", DEVICE))
    sampling = {name: _value(name, given[name], kind) for name, kind in SAMPLING.items() if name in given}
    style = Style(**{name: float(_value(name, given[name], float)) for name in STYLE if name in given})
    take = engine.styled(engine.sample(job.settings["audio"], **sampling), style)
    take.save(job.outputs[0])


def _value(name: str, text: Any, kind: type) -> Any:
    try:
        return kind(text)
    except (TypeError, ValueError) as error:
        raise EngineError(f"{name} '{text}' is not a number; write one.") from error


@lru_cache(maxsize=1)
def _engine(bundle: str, device: str) -> Engine:
    return Engine.load(bundle, device)
