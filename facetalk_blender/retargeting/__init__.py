"""From the take's ARKit weights to the shape keys of any face. No bpy in here."""
