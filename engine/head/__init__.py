"""The neural head: signed distance field, surface extraction and fixed-topology correspondence."""

from .head import BOX, NeuralHead, PosedField
from .loading import load_head

__all__ = ["BOX", "NeuralHead", "PosedField", "load_head"]
