"""The Blender side: settings, takes, the engine client and what is written into the scene."""
