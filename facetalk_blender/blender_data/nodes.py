"""Short words for node trees: geometry nodes are added at once, shader nodes are planned and then made in pieces.

A plan holds nothing of Blender's data, so a tree can be built from it with other work and undo in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import bpy

from .datablocks import resolve

Key = int | str  # of a socket: its position, or its identifier


def new_modifier_tree(name: str) -> tuple[bpy.types.NodeTree, bpy.types.NodeSocket]:
    """An empty tree for a geometry nodes modifier, and the geometry that enters it."""
    tree = bpy.data.node_groups.new(name, "GeometryNodeTree")
    tree.is_modifier = True
    for direction in ("INPUT", "OUTPUT"):
        tree.interface.new_socket("Geometry", in_out=direction, socket_type="NodeSocketGeometry")
    return tree, add_node(tree, "NodeGroupInput").outputs[0]


def add_node(tree: bpy.types.NodeTree, kind: str, *inputs, **properties) -> bpy.types.Node:
    """A new node; its first inputs are linked to sockets or set to values."""
    added = tree.nodes.new(kind)
    added.location = (180.0 * len(tree.nodes), 0.0)
    for key, value in properties.items():
        setattr(added, key, value)
    _fill(tree, added.inputs, inputs)
    return added


def _fill(tree: bpy.types.NodeTree, sockets: Iterable[bpy.types.NodeSocket], values: Iterable) -> None:
    """Link sockets to other ones, or set them to values."""
    for socket, value in zip(sockets, values, strict=False):
        if isinstance(value, bpy.types.NodeSocket):
            tree.links.new(value, socket)
        else:
            socket.default_value = value


def add_math(tree: bpy.types.NodeTree, operation: str, *inputs) -> bpy.types.NodeSocket:
    """The output of a new math node."""
    return add_node(tree, "ShaderNodeMath", *inputs, operation=operation).outputs[0]


class Fields:
    """Short words for the fields of a geometry nodes tree: every method adds one node and returns its output."""

    def __init__(self, tree: bpy.types.NodeTree):
        self.tree = tree

    def node(self, kind: str, *inputs, **properties) -> bpy.types.Node:
        """A new node, see `add_node`."""
        return add_node(self.tree, kind, *inputs, **properties)

    def add(self, kind: str, *inputs, **properties) -> bpy.types.NodeSocket:
        """The first output of a new node."""
        return self.node(kind, *inputs, **properties).outputs[0]

    def math(self, operation: str, *values) -> bpy.types.NodeSocket:
        """A math node."""
        return self.add("ShaderNodeMath", *values, operation=operation)

    def vector(self, operation: str, *values) -> bpy.types.NodeSocket:
        """A vector math node; its number where the operation gives one."""
        node = self.node("ShaderNodeVectorMath", operation=operation)
        _fill(self.tree, (socket for socket in node.inputs if socket.enabled), values)
        return next(socket for socket in node.outputs if socket.enabled)

    def scaled(self, vector, factor) -> bpy.types.NodeSocket:
        """A vector times a number."""
        return self.vector("SCALE", vector, factor)

    def split(self, vector) -> tuple[bpy.types.NodeSocket, ...]:
        """The three parts of a vector."""
        return tuple(add_node(self.tree, "ShaderNodeSeparateXYZ", vector).outputs)

    def join(self, x, y, z) -> bpy.types.NodeSocket:
        """A vector of three numbers."""
        return self.add("ShaderNodeCombineXYZ", x, y, z)

    def step(self, value, low: float, high: float) -> bpy.types.NodeSocket:
        """Smoothly from 0 where the value is `low` to 1 where it is `high`; low may be the greater one."""
        ends = (low, high, 0.0, 1.0) if low < high else (high, low, 1.0, 0.0)
        return self.add("ShaderNodeMapRange", value, *ends, interpolation_type="SMOOTHSTEP")

    def named(self, name: str, kind: str = "FLOAT_VECTOR") -> bpy.types.NodeSocket:
        """An attribute of the mesh; zero where it has none of the name."""
        return self.add("GeometryNodeInputNamedAttribute", name, data_type=kind)

    def store(self, geometry, selection, name: str, value, kind: str = "FLOAT_VECTOR") -> bpy.types.NodeSocket:
        """Geometry with an attribute of its points."""
        return self.add("GeometryNodeStoreNamedAttribute", geometry, selection, name, value, data_type=kind)


@dataclass(frozen=True)
class FieldGroup:
    """A group of geometry nodes, made when it is first needed; one of the name in the file is used as it is.

    Adding a node costs as much as there are already, so many small groups are quick to make and a large one is not.
    inputs, outputs: names with what they are: "Float", "Vector" or "Geometry". plan: adds the nodes; gets the outputs
    of the group's input node and gives what enters its output node.
    """

    name: str
    inputs: dict[str, str]
    outputs: dict[str, str]
    plan: Callable[[Fields, bpy.types.bpy_prop_collection], Sequence[bpy.types.NodeSocket]]

    def tree(self) -> bpy.types.NodeTree:
        """The group."""
        return bpy.data.node_groups.get(self.name) or self._built()

    def use(self, n: Fields, *inputs) -> bpy.types.bpy_prop_collection:
        """The outputs of a node of the group in another tree."""
        node = n.node("GeometryNodeGroup", node_tree=self.tree())
        _fill(n.tree, node.inputs, inputs)
        return node.outputs

    def _built(self) -> bpy.types.NodeTree:
        tree = bpy.data.node_groups.new(self.name, "GeometryNodeTree")
        for direction, sockets in (("INPUT", self.inputs), ("OUTPUT", self.outputs)):
            for name, kind in sockets.items():
                tree.interface.new_socket(name, in_out=direction, socket_type=f"NodeSocket{kind}")
        n = Fields(tree)
        n.node("NodeGroupOutput", *self.plan(n, n.node("NodeGroupInput").outputs))
        return tree


@dataclass(frozen=True)
class Socket:
    """An output of a planned node."""

    node: int
    key: Key


Value = Socket | float | tuple[float, ...]


@dataclass
class PlannedNode:
    """One node: its properties, what its inputs are linked to or set to, and values of outputs that people may set."""

    kind: str
    properties: dict
    inputs: dict[Key, Value] = field(default_factory=dict)
    output_values: dict[Key, Value] = field(default_factory=dict)


class ShaderNodes:
    """Plans the nodes of one tree, in columns from left to right: every method plans one and returns its output."""

    def __init__(self):
        self._nodes: list[PlannedNode] = []

    def add(self, kind: str, inputs: dict[Key, Value] | None = None, output: Key = 0, **properties) -> Socket:
        """A node with its inputs and properties set; one of its outputs."""
        self._nodes.append(PlannedNode(kind, properties, inputs or {}))
        return Socket(len(self._nodes) - 1, output)

    def pieces(self, session_uid: int) -> Iterator[None]:
        """Make the nodes in an empty tree, about half a millisecond each. Raises DataBlockLost when it is gone."""
        for index, planned in enumerate(self._nodes):
            tree = resolve(bpy.data.node_groups, session_uid)
            node = tree.nodes.new(planned.kind)
            node.location = (200.0 * (index // 5), -260.0 * (index % 5))
            for name, value in planned.properties.items():
                setattr(node, name, bpy.data.node_groups[value] if name == "node_tree" else value)
            for key, value in planned.output_values.items():
                _socket(node.outputs, key).default_value = value
            for key, value in planned.inputs.items():
                if isinstance(value, Socket):
                    source = tree.nodes[value.node]
                    tree.links.new(_socket(source.outputs, value.key), _socket(node.inputs, key))
                else:
                    _socket(node.inputs, key).default_value = value
            yield

    def _constant(self, kind: str, name: str, value: Value) -> Socket:
        socket = self.add(kind, name=name, label=name)
        self._nodes[socket.node].output_values[socket.key] = value
        return socket

    def number(self, name: str, value: float) -> Socket:
        """A number that people may change, under its name."""
        return self._constant("ShaderNodeValue", name, value)

    def attribute(self, name: str, output: str) -> Socket:
        """An attribute of the mesh."""
        return self.add("ShaderNodeAttribute", output=output, attribute_name=name)

    def object_color(self, property_name: str, label: str, default: tuple[float, float, float]) -> Socket:
        """A colour in a custom property of the object; objects without it get a default that people may change."""
        given = self.add("ShaderNodeAttribute", attribute_type="OBJECT", attribute_name=property_name)
        fallback = self._constant("ShaderNodeRGB", label, (*default, 1.0))
        return self.mix(Socket(given.node, "Alpha"), fallback, Socket(given.node, "Color"))

    def group(self, name: str) -> Socket:
        """The first output of the node group of a name, which is there when the nodes are made."""
        return self.add("ShaderNodeGroup", node_tree=name)

    def split(self, vector: Value) -> tuple[Socket, Socket, Socket]:
        """The three parts of a vector."""
        node = self.add("ShaderNodeSeparateXYZ", {0: vector}).node
        return Socket(node, 0), Socket(node, 1), Socket(node, 2)

    def join(self, x: Value, y: Value, z: Value) -> Socket:
        """A vector of three numbers."""
        return self.add("ShaderNodeCombineXYZ", {0: x, 1: y, 2: z})

    def math(self, operation: str, *values: Value) -> Socket:
        """A math node."""
        return self.add("ShaderNodeMath", dict(enumerate(values)), operation=operation)

    def vector_math(self, operation: str, *values: Value, output: str = "Vector") -> Socket:
        """A vector math node."""
        return self.add("ShaderNodeVectorMath", dict(enumerate(values)), output, operation=operation)

    def step(self, value: Value, low: float, high: float) -> Socket:
        """Smoothly from 0 where the value is `low` to 1 where it is `high`; low may be the greater one."""
        ends = (low, high, 0.0, 1.0) if low < high else (high, low, 1.0, 0.0)
        return self.add("ShaderNodeMapRange", dict(enumerate((value, *ends))), interpolation_type="SMOOTHSTEP")

    def noise(self, position: Value, scale: float, detail: float = 2.0) -> Socket:
        """Noise about one half, at `scale` cells a metre."""
        return self.add("ShaderNodeTexNoise", {"Vector": position, "Scale": scale, "Detail": detail})

    def mix(self, factor: Value, first: Value, second: Value, blend: str = "MIX") -> Socket:
        """Two colours mixed."""
        first, second = ((*v, 1.0) if isinstance(v, tuple) and len(v) == 3 else v for v in (first, second))
        inputs = {"Factor_Float": factor, "A_Color": first, "B_Color": second}
        return self.add("ShaderNodeMix", inputs, "Result_Color", data_type="RGBA", blend_type=blend)

    def mix_shader(self, factor: Value, first: Value, second: Value) -> Socket:
        """Two shaders mixed."""
        return self.add("ShaderNodeMixShader", {0: factor, 1: first, 2: second})

    def weighted(self, *terms: tuple[Value, float], base: float = 0.0) -> Socket:
        """A number and the sum of sockets times numbers."""
        total: Value = base
        for socket, number in terms:
            total = self.math("MULTIPLY_ADD", socket, number, total)
        return total


def _socket(sockets: bpy.types.bpy_prop_collection, key: Key) -> bpy.types.NodeSocket:
    return sockets[key] if isinstance(key, int) else next(socket for socket in sockets if socket.identifier == key)
