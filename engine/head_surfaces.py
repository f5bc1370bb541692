"""Surfaces of a head, each of which goes on from what the last ones have left."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from .head import NeuralHead
from .head.surface.extract import Surface, SurfaceExtractor
from .head.surface.forward_surface import ForwardSurfaceExtractor
from .head.surface.in_turn import Elsewhere, extract_in_turn
from .head.table_work import TableWork
from .shared.options import TABLES_FOLDER

Kind = tuple[bytes | None, int, float]  # of an extractor: its identity, resolution and tolerance


def _nowhere(code: np.ndarray | None, resolution: int, tolerance: float) -> Sequence[Elsewhere]:
    """No extractors outside this process."""
    return ()


class HeadSurfaces:
    """Surfaces in model units of identity codes (L,), None for the mean head, and expression codes.

    elsewhere: extractors outside this process by identity code, resolution and tolerance; set by who has some.
    """

    def __init__(self, head: NeuralHead):
        self.head = head
        self.elsewhere: Callable[[np.ndarray | None, int, float], Sequence[Elsewhere]] = _nowhere
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
        kind = _kind_of(code, resolution, tolerance)
        extractor = self._extractor(kind, code, again=bool(tolerance))
        try:
            yield from extract_in_turn(extractor, expressions, self.elsewhere(code, resolution, tolerance))
        except Exception:
            tolerance = 0.0  # half a frame may be left in it
            raise
        finally:
            if tolerance:
                self._kept = kind, extractor
                self._tables.saw(code, len(expressions), extractor.band.canonical_points())

    def one(self, code: np.ndarray | None, expression: np.ndarray, resolution: int, tolerance: float) -> Surface:
        """The surface of an expression (E,), for another process's sequence; it goes on from the last one of its kind.

        Raises EngineError as `sequence` does.
        """
        kind = _kind_of(code, resolution, tolerance)
        extractor = self._extractor(kind, code, again=True)
        surface = extractor.extract(expression)
        self._kept = kind, extractor
        return surface

    def work_ahead(self) -> bool:
        """A piece of work by which later surfaces of a head seen for a while are faster; False if none is left."""
        return self._tables.step()

    def _extractor(self, kind: Kind, code: np.ndarray | None, again: bool) -> SurfaceExtractor:
        """An extractor that nobody else uses: if it may be, and is such, the one that made the last surfaces."""
        _, resolution, tolerance = kind
        if tolerance:
            self._tables.look_up(code)
        kept, self._kept = self._kept, None
        if kept is not None and kept[0] == kind and again:
            return kept[1]
        return SurfaceExtractor(self.head, code, resolution, tolerance=tolerance)


def _kind_of(code: np.ndarray | None, resolution: int, tolerance: float) -> Kind:
    return None if code is None else code.tobytes(), resolution, tolerance
