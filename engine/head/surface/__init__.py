"""Triangle meshes of the zero level, frame after frame."""
