"""Sidebar panels: they draw and never compute."""

from . import talking_head

CLASSES = talking_head.CLASSES
