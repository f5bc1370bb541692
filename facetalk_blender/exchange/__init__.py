"""What goes to other programs and comes from them: exports of a result, and weights that others recorded."""
