"""Model files as their authors publish them -> model bundles. Local files only; nothing in them is run."""
