"""Data-blocks, meshes and node trees, made in pieces of a few milliseconds."""
