"""Stored vectors to a result: every pair of slides, and the tiles that a model fails on."""
