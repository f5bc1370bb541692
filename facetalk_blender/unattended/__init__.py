"""Runs without a window."""
