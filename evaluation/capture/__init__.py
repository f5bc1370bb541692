"""How far a dataset that was fitted to rendered captures is from their truth."""
