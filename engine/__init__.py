"""FaceTalk's engine: a voice recording in, expression codes and head surfaces out.

    from engine import Engine
    engine = Engine.load()                      # built-in starter model
    take = engine.sample("voice.wav", seed=1)   # expression codes over time
    for surface in engine.surfaces(take):       # one triangle mesh per code frame
        ...

Nothing heavy is imported until it is used, so Blender may import `engine.shared.protocol` without torch.
"""

from .shared import __version__
from .shared.errors import EngineError

__all__ = ["Engine", "EngineError", "ExpressionTake", "Style", "__version__"]


def __getattr__(name: str):
    if name == "Engine":
        from .engine import Engine

        return Engine
    if name == "ExpressionTake":
        from .motion.codes import ExpressionTake

        return ExpressionTake
    if name == "Style":
        from .shared.style import Style

        return Style
    raise AttributeError(f"module 'engine' has no attribute '{name}'")
