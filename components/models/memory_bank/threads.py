"""How many threads torch computes with, for the length of one piece of work."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def compute_threads(num: int) -> Iterator[None]:
    """Let torch use ``num`` threads, and afterwards as many as before."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(num)
    try:
        yield
    finally:
        torch.set_num_threads(before)
