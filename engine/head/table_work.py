"""Distance tables of identities that have been seen for a while: made while nothing else is wanted, kept on disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import torch
from torch import Tensor

from .distance_table import DistanceTable, table_key, tabulated
from .head import Array, NeuralHead
from .networks.identity import IdentityNetwork
from .parallel import undivided_operations

SEEN_SURFACES = 24


class TableWork:
    """Gives identities of a head their tables: from files of a folder, or made step by step after SEEN_SURFACES.

    Without a folder tables last as long as the head keeps their identities.
    """

    def __init__(self, head: NeuralHead, folder: Path | None = None):
        self.head, self.folder = head, folder
        self._seen: dict[str, int] = {}
        self._keys: dict[bytes, str] = {}  # by codes: a key takes a look at all the network's weights
        self._work: Iterator[None] | None = None
        self._reader: Thread | None = None
        network = head.identity
        self._possible = (
            isinstance(network, IdentityNetwork) and not network.config.hyper_coordinates and head.device.type == "cpu"
        )

    def look_up(self, identity: Array | None) -> None:
        """Give an identity (L,) the table that was stored for it, if there is one, as soon as it has been read.

        A thread reads it: a second's work, for which no surface waits.
        """
        prepared = self.head.prepare_identity(identity)
        if not self._possible or self.folder is None or prepared.table is not None or self.reading:
            return
        key = self._key(prepared.code)
        path = self._path(self.folder, key)
        if key in self._seen or not path.is_file():
            return
        self._seen[key] = 0

        def read() -> None:
            prepared.table = DistanceTable.load(path, key, *self.head.box)

        self._reader = Thread(target=read, name="table", daemon=True)
        self._reader.start()

    @property
    def reading(self) -> bool:
        """Whether a table is being read."""
        return self._reader is not None and self._reader.is_alive()

    def saw(self, identity: Array | None, surfaces: int, points: Tensor) -> None:
        """So many surfaces were made of an identity (L,); points (P, 3) are canonical ones along its surface."""
        prepared = self.head.prepare_identity(identity)
        if not self._possible or prepared.table is not None or self.reading:
            return
        key = self._key(prepared.code)
        self._seen[key] = self._seen.get(key, 0) + surfaces
        if self._seen[key] >= SEEN_SURFACES:
            self._work = self._make(identity, key, points)

    def step(self) -> bool:
        """A piece of about 50 ms of the work ahead; False when nothing is left."""
        if self._work is None:
            return False
        # Cores that share small operations wait for each other, and burn their time.
        with torch.no_grad(), undivided_operations():
            if next(self._work, self) is self:
                self._work = None
        return self._work is not None

    def _make(self, identity: Array | None, key: str, points: Tensor) -> Iterator[None]:
        prepared = self.head.prepare_identity(identity)
        for table in tabulated(lambda at: prepared.distance(at[None])[0], points, *self.head.box):
            if table is not None:
                prepared.table = table
                if self.folder is not None:
                    table.save(self._path(self.folder, key), key)
            yield

    def _key(self, code: Tensor) -> str:
        content = code.cpu().numpy().tobytes()
        if content not in self._keys:
            self._keys[content] = table_key(self.head.identity.state_dict(), code, self.head.box)
        return self._keys[content]

    @staticmethod
    def _path(folder: Path, key: str) -> Path:
        return folder / f"{key[:32]}.npz"
