"""Properties of scenes and preferences."""
