"""The fixed topology: a template that follows identity and expression, and the lips on it."""
