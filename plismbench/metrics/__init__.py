"""Numbers from the vectors of two slides."""
