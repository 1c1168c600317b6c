"""Files of weights: where they lie, what they hold, and whose names their tensors have."""
