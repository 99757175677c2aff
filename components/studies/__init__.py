"""Benchmarks under the papers' protocol: what a study asks, measures, and prints.

A study compares detectors on the whole official test set, over seeds, as papers 002 and 003 do.
Its figures carry ``protocol: paper`` and can never promote a model.
"""
