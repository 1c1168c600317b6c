"""Pixels in: where the tiles of a slide come from."""
