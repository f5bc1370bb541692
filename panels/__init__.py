"""Sidebar panels: they draw and never compute."""

from . import export, expression_curves, talking_head

CLASSES = (*talking_head.CLASSES, *expression_curves.CLASSES, *export.CLASSES)
