"""Pixels to vectors: models as data, and what runs them."""
