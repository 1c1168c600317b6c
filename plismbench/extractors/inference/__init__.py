"""A network at work: on a device, in batches, timed."""
