"""What every training shares: the loop of a run, what learns in it, and the options of its command line."""
