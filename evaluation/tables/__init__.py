"""Tables 1 to 4 of the paper for any set of bundles, fitted codes and vertex sequences."""
