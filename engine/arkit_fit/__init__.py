"""ARKit weights for heads that were made without them: fitted through the starter's template, with the error stated."""
