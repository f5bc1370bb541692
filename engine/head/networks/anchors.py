"""What the identity networks of the NPHM family share: anchors, mirrored pairs, and the identity code's layout."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn


@dataclass
class AnchorLayout:
    """Anchors and codes.

    Attributes:
        anchors: number n of anchors. The first 2 * symmetric_pairs are mirrored pairs, interleaved (even slot at
            x < 0, odd slot at x > 0); the others lie on the mid-line; one more slot has no anchor.
        global_dimensions, local_dimensions: lengths of the parts of an identity code.
    """

    anchors: int = 39
    symmetric_pairs: int = 16
    global_dimensions: int = 64
    local_dimensions: int = 32

    @property
    def slots(self) -> int:
        """Local codes: one for each anchor, and one for the network without anchor."""
        return self.anchors + 1

    @property
    def members(self) -> int:
        """Stored networks: a mirrored pair shares one."""
        return self.slots - self.symmetric_pairs

    @property
    def dimensions(self) -> int:
        """Length of an identity code: [global | slot 0 | ... | slot n]."""
        return self.global_dimensions + self.slots * self.local_dimensions


def displacement_network(layout: AnchorLayout, width: int) -> nn.Sequential:
    """The MLP from the global part of a code (B, global) to the anchors' displacements (B, 3 n)."""
    return nn.Sequential(
        nn.Linear(layout.global_dimensions, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, 3 * layout.anchors),
    )
