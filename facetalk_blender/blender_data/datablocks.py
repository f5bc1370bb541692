"""Data-blocks between two moments of a long work: found again by number, and removed when nothing uses them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import bpy


class DataBlockLost(Exception):
    """A data-block that a work reads or writes has been deleted or undone."""


def resolve(collection: bpy.types.bpy_prop_collection, session_uid: int) -> bpy.types.ID:
    """A data-block by its session_uid. Raises DataBlockLost when it is gone."""
    for item in collection:
        if item.session_uid == session_uid:
            return item
    raise DataBlockLost


def run_to_end(pieces: Iterator) -> None:
    """Do a work in pieces at once."""
    for _ in pieces:
        pass


def remove_unused(collection: bpy.types.bpy_prop_collection, items: Iterable[bpy.types.ID]) -> None:
    """Remove those of a collection's data-blocks that nothing uses."""
    for item in items:
        if item.users == 0:
            collection.remove(item)


def remove_unused_node_groups(trees: Iterable[bpy.types.NodeTree]) -> None:
    """Remove node groups that nothing uses, with the groups in them that nothing else uses."""
    waiting = [tree.session_uid for tree in trees]
    while waiting:
        session_uid = waiting.pop()
        tree = next((tree for tree in bpy.data.node_groups if tree.session_uid == session_uid), None)
        if tree is not None and tree.users == 0:
            waiting += [node.node_tree.session_uid for node in tree.nodes if node.type == "GROUP" and node.node_tree]
            bpy.data.node_groups.remove(tree)
