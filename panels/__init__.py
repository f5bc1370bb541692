"""Sidebar panels: they draw and never compute."""

from . import export, expression_curves, head_identity, person, preferences, takes, talking_head

CLASSES = (
    *preferences.CLASSES,
    *talking_head.CLASSES,
    *takes.CLASSES,
    *head_identity.CLASSES,
    *person.CLASSES,
    *expression_curves.CLASSES,
    *export.CLASSES,
)
