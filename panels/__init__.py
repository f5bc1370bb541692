"""Sidebar panels: they draw and never compute."""

from . import export, expression_curves, head_identity, talking_head

CLASSES = (*talking_head.CLASSES, *head_identity.CLASSES, *expression_curves.CLASSES, *export.CLASSES)
