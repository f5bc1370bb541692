"""An engine process without a model, for tests of the Blender side."""
