"""Runs without a window: arguments, the two kinds of runs, and what they write."""
