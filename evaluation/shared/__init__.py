"""Reports and pictures, for every evaluation."""
