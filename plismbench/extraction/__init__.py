"""Tiles to stored vectors: the pipeline, its speed, a check of a model, and vectors from elsewhere."""
