"""Exact nearest neighbours: one contract, several engines."""
