"""What Blender's process may import of the engine: NumPy and the standard library are enough for it."""

__version__ = "0.1.0"  # of engine and extension alike
