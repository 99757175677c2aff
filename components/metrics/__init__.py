"""Metrics as pure functions over numpy arrays, one module a metric."""
