"""Surfaces of a head, each of which goes on from what the last ones have left."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from .head import NeuralHead
from .head.surface.extract import Surface, SurfaceExtractor
from .head.surface.forward_surface import ForwardSurfaceExtractor
from .head.surface.in_turn import extract_in_turn
from .head.table_work import TableWork
from .shared.options import TABLES_FOLDER

Kind = tuple[bytes | None, int, float]  # of an extractor: its identity, resolution and tolerance


class HeadSurfaces:
    """Surfaces in model units of identity codes (L,), None for the mean head, and expression codes."""

    def __init__(self, head: NeuralHead):
        self.head = head
        folder = os.environ.get(TABLES_FOLDER)
        self._tables = TableWork(head, Path(folder) if folder else None)
        self._kept: tuple[Kind, SurfaceExtractor] | None = None  # what made the last surfaces

    def sequence(
        self, code: np.ndarray | None, expressions: np.ndarray, resolution: int, tolerance: float
    ) -> Iterator[Surface]:
        """Surfaces of expressions (F, E). Within a tolerance they go on from the last surfaces of the same head.

        Raises EngineError when the resolution needs more memory than there is, or there is no surface.
        """
        if self.head.deforms_forward:
            yield from map(ForwardSurfaceExtractor(self.head, code, resolution).extract, expressions)
            return
        kind = None if code is None else code.tobytes(), resolution, tolerance
        extractor = self._extractor(kind, code)
        try:
            yield from extract_in_turn(extractor, expressions)
        except Exception:
            tolerance = 0.0  # half a frame may be left in it
            raise
        finally:
            if tolerance:
                self._kept = kind, extractor
                self._tables.saw(code, len(expressions), extractor.band.canonical_points())

    def work_ahead(self) -> bool:
        """A piece of work by which later surfaces of a head seen for a while are faster; False if none is left."""
        return self._tables.step()

    def _extractor(self, kind: Kind, code: np.ndarray | None) -> SurfaceExtractor:
        """An extractor that nobody else uses: within a tolerance the one that made the last surfaces, if it fits."""
        _, resolution, tolerance = kind
        if tolerance:
            self._tables.look_up(code)
        kept, self._kept = self._kept, None
        if kept is not None and kept[0] == kind:  # none without a tolerance is kept
            return kept[1]
        return SurfaceExtractor(self.head, code, resolution, tolerance=tolerance)
