"""The demo: real tissue under simulated stainings and scanners."""

from plismbench.tiles.demo.demo import DemoTiles

__all__ = ["DemoTiles"]
