"""Rows come out as they came in, whatever the sizes of chunks and blocks."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from components.models.networks.row_blocks import RowBlocks


@settings(max_examples=50, deadline=None)
@given(sizes=st.lists(st.integers(0, 9), min_size=1, max_size=8), rows=st.integers(1, 7))
def test_rows_keep_their_order(sizes: list[int], rows: int) -> None:
    chunks = [torch.randn(size, 3) for size in [*sizes, 1]]
    blocks = RowBlocks(block_bytes=rows * 3 * 4)
    for chunk in chunks:
        blocks.append(chunk)
    assert torch.equal(blocks.stacked(), torch.cat(chunks))


def test_a_chunk_may_change_after_it_was_appended() -> None:
    chunk, blocks = torch.ones(2, 2), RowBlocks()
    blocks.append(chunk)
    chunk.zero_()
    assert blocks.stacked().tolist() == [[1.0, 1.0], [1.0, 1.0]]
