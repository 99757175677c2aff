"""What a process may still take, and what it took."""

from collections.abc import Iterator

import pytest

from components.memory import available_bytes, declare_budget, peak_bytes, resident_bytes


@pytest.fixture(autouse=True)
def undeclared() -> Iterator[None]:
    yield
    declare_budget(None)


def test_without_a_budget_the_machine_decides() -> None:
    assert available_bytes() > 2**20


def test_a_declared_budget_counts_what_is_held_already() -> None:
    held = resident_bytes()
    declare_budget(held + 50_000_000)
    assert 0 < available_bytes() <= 60_000_000  # the process may grow or shrink meanwhile
    declare_budget(held // 2)
    assert available_bytes() == 0


def test_a_budget_beyond_the_machine_changes_nothing() -> None:
    declare_budget(1 << 60)
    assert available_bytes() < 1 << 50


def test_the_peak_is_no_less_than_what_is_held() -> None:
    assert peak_bytes() >= resident_bytes() > 10**6
