"""Frame Meshes: a mesh of any topology for every frame."""
