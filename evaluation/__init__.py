"""Measures model bundles, and writes none."""
