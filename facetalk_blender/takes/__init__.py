"""Takes in the .blend file."""
