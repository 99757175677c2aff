"""Metrics of anomaly maps on disk, from whatever tool wrote them."""
