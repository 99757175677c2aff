"""What work will cost before it is done: a calibration of this machine, and arithmetic on it."""
