"""The cache: one parquet file of vectors a slide, and a manifest of what made them."""
