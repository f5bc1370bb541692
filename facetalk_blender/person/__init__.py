"""Persons: heads, skin, eyes and hair that fit each other."""
