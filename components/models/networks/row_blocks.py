"""Rows of features that arrive batch by batch, held about once.

Shapes: N rows in all, D dimensions.
"""

from torch import Tensor

# The allocator gives a block of this size back to the system at once, whatever its settings.
_BLOCK_BYTES = 64 << 20


class RowBlocks:
    """Rows in large blocks: their number need not be known, and they are never held twice."""

    def __init__(self, block_bytes: int = _BLOCK_BYTES) -> None:
        self.block_bytes = block_bytes
        self._blocks: list[Tensor] = []
        self._filled = 0  # rows of the last block

    def append(self, rows_ND: Tensor) -> None:
        """Copy rows (any number, all of the same D and type)."""
        while len(rows_ND):
            if not self._blocks or self._filled == len(self._blocks[-1]):
                num = max(1, self.block_bytes // (rows_ND.shape[1] * rows_ND.element_size()))
                self._blocks.append(rows_ND.new_empty(num, rows_ND.shape[1]))
                self._filled = 0
            block = self._blocks[-1]
            num = min(len(rows_ND), len(block) - self._filled)
            block[self._filled : self._filled + num] = rows_ND[:num]
            self._filled += num
            rows_ND = rows_ND[num:]

    def stacked(self) -> Tensor:
        """Return all rows as one tensor, N × D, and let the blocks go on the way.

        Pages of the result are first touched as those of a block are given back: the peak is one
        copy and one block, where ``torch.cat`` needs two copies.
        """
        assert self._blocks, "no rows were appended"
        self._blocks[-1] = self._blocks[-1][: self._filled]
        end = sum(len(block) for block in self._blocks)
        stacked = self._blocks[0].new_empty(end, self._blocks[0].shape[1])
        while self._blocks:
            block = self._blocks.pop()
            stacked[end - len(block) : end] = block
            end -= len(block)
        return stacked
