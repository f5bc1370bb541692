"""Short words for building shader node trees: every method adds a node and returns its output socket."""

from __future__ import annotations

import bpy

Socket = bpy.types.NodeSocket
Value = Socket | float | tuple[float, ...]


class ShaderNodes:
    """Adds nodes to one tree, in columns from left to right."""

    def __init__(self, tree: bpy.types.NodeTree):
        self.tree = tree
        self._count = 0

    def add(self, kind: str, **properties) -> bpy.types.Node:
        """A node with its properties set."""
        node = self.tree.nodes.new(kind)
        node.location = (200.0 * (self._count // 5), -260.0 * (self._count % 5))
        self._count += 1
        for name, value in properties.items():
            setattr(node, name, value)
        return node

    def set(self, socket: Socket, value: Value) -> None:
        """Link a socket to an output, or set its value."""
        if isinstance(value, Socket):
            self.tree.links.new(value, socket)
        else:
            socket.default_value = value

    def number(self, name: str, value: float) -> Socket:
        """A number that people may change, under its name."""
        node = self.add("ShaderNodeValue", name=name, label=name)
        node.outputs[0].default_value = value
        return node.outputs[0]

    def attribute(self, name: str, output: str) -> Socket:
        """An attribute of the mesh."""
        return self.add("ShaderNodeAttribute", attribute_name=name).outputs[output]

    def object_color(self, property_name: str, label: str, default: tuple[float, float, float]) -> Socket:
        """A colour in a custom property of the object; objects without it get a default that people may change."""
        given = self.add("ShaderNodeAttribute", attribute_type="OBJECT", attribute_name=property_name)
        fallback = self.add("ShaderNodeRGB", name=label, label=label).outputs[0]
        fallback.default_value = (*default, 1.0)
        return self.mix(given.outputs["Alpha"], fallback, given.outputs["Color"])

    def split(self, vector: Value) -> tuple[Socket, Socket, Socket]:
        """The three parts of a vector."""
        node = self.add("ShaderNodeSeparateXYZ")
        self.set(node.inputs[0], vector)
        return tuple(node.outputs)

    def join(self, x: Value, y: Value, z: Value) -> Socket:
        """A vector of three numbers."""
        node = self.add("ShaderNodeCombineXYZ")
        for socket, value in zip(node.inputs, (x, y, z), strict=True):
            self.set(socket, value)
        return node.outputs[0]

    def math(self, operation: str, *values: Value) -> Socket:
        """A math node."""
        node = self.add("ShaderNodeMath", operation=operation)
        for socket, value in zip(node.inputs, values, strict=False):
            self.set(socket, value)
        return node.outputs[0]

    def vector_math(self, operation: str, *values: Value, output: str = "Vector") -> Socket:
        """A vector math node."""
        node = self.add("ShaderNodeVectorMath", operation=operation)
        for socket, value in zip(node.inputs, values, strict=False):
            self.set(socket, value)
        return node.outputs[output]

    def step(self, value: Value, low: float, high: float) -> Socket:
        """Smoothly from 0 where the value is `low` to 1 where it is `high`; low may be the greater one."""
        node = self.add("ShaderNodeMapRange", interpolation_type="SMOOTHSTEP")
        ascending = low < high
        ends = (low, high) if ascending else (high, low)
        for socket, number in zip(
            node.inputs, (value, *ends, *((0.0, 1.0) if ascending else (1.0, 0.0))), strict=False
        ):
            self.set(socket, number)
        return node.outputs[0]

    def noise(self, position: Value, scale: float, detail: float = 2.0) -> Socket:
        """Noise about one half, at `scale` cells a metre."""
        node = self.add("ShaderNodeTexNoise")
        for name, value in (("Vector", position), ("Scale", scale), ("Detail", detail)):
            self.set(node.inputs[name], value)
        return node.outputs[0]

    def mix(self, factor: Value, first: Value, second: Value, blend: str = "MIX") -> Socket:
        """Two colours mixed."""
        node = self.add("ShaderNodeMix", data_type="RGBA", blend_type=blend)
        colors = [socket for socket in node.inputs if socket.type == "RGBA"]
        for socket, value in zip((node.inputs[0], *colors), (factor, first, second), strict=True):
            self.set(socket, (*value, 1.0) if isinstance(value, tuple) and len(value) == 3 else value)
        return next(socket for socket in node.outputs if socket.type == "RGBA")

    def weighted(self, *terms: tuple[Value, float]) -> Socket:
        """The sum of sockets times numbers."""
        total = self.math("MULTIPLY", *terms[0])
        for socket, number in terms[1:]:
            total = self.math("MULTIPLY_ADD", socket, number, total)
        return total
