"""How synthetic images compare with real ones.

Pure functions of features, probabilities or distances: which network they come from is the
caller's choice, and a figure of one extractor never stands beside one of another.
"""
