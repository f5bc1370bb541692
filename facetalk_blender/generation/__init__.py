"""Jobs: from a sound strip to an object, and what is known of their cost."""
