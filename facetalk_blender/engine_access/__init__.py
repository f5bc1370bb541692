"""The engine's Python: found, installed, started and asked."""
