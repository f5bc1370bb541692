"""What Blender's process may import of the engine: NumPy and the standard library are enough for it."""
