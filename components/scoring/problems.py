"""Everything that is wrong with a set of files, collected and said once."""

from collections.abc import Iterator
from contextlib import contextmanager

from components.errors import DataError

NAMED = 10


class Problems:
    """A list of problems that grows while files are read and is raised at the end."""

    def __init__(self) -> None:
        self._found: list[str] = []

    def add(self, problem: str) -> None:
        """Note one problem; it begins with the file that it is about."""
        self._found.append(problem)

    @contextmanager
    def collected(self) -> Iterator[None]:
        """Note the :class:`DataError` of the block instead of letting it pass."""
        try:
            yield
        except DataError as error:
            self.add(f"{error.message} {error.remedy}".strip())

    def raise_any(self) -> None:
        """Raise E213 with the first ten problems, one a line, if there is any."""
        if not self._found:
            return
        lines = [f"\n  {problem}" for problem in self._found[:NAMED]]
        more = len(self._found) - NAMED
        lines += [f"\n  and {more} more"] if more > 0 else []
        num = "1 problem" if len(self._found) == 1 else f"{len(self._found)} problems"
        raise DataError("E213", f"{num} between maps and ground truth:{''.join(lines)}")
