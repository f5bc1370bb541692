"""Blender operators: thin, the work is done in facetalk_blender."""

from . import engine_runtime, generate, load_sound

CLASSES = (*load_sound.CLASSES, *generate.CLASSES, *engine_runtime.CLASSES)
