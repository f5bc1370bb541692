"""Nodes added to a tree with their inputs and properties in one line."""

from __future__ import annotations

import bpy


def add_node(tree: bpy.types.NodeTree, kind: str, *inputs, **properties) -> bpy.types.Node:
    """A new node; its first inputs are linked to sockets or set to values."""
    added = tree.nodes.new(kind)
    added.location = (180.0 * len(tree.nodes), 0.0)
    for key, value in properties.items():
        setattr(added, key, value)
    for socket, value in zip(added.inputs, inputs, strict=False):
        if isinstance(value, bpy.types.NodeSocket):
            tree.links.new(value, socket)
        else:
            socket.default_value = value
    return added


def add_math(tree: bpy.types.NodeTree, operation: str, *inputs) -> bpy.types.NodeSocket:
    """The output of a new math node."""
    return add_node(tree, "ShaderNodeMath", *inputs, operation=operation).outputs[0]
