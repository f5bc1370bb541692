"""Expression Curves: shape keys with an action."""
