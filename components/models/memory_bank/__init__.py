"""The memory bank of patches: which are kept, and how near a new one is to them, exactly."""
