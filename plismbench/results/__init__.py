"""What an evaluation leaves: pairs, medians, intervals, and the run that made them."""
