"""One quiet line a step, with its number, its word and how long it took."""

import io
import re
import time

from rich.console import Console

from flows.console import StepBoard


def test_a_finished_step_leaves_one_aligned_line_and_its_time() -> None:
    board = StepBoard(8)
    board.console = Console(file=io.StringIO(), width=100)
    with board.step("ingest") as step:
        step.total(3)
        step.advance("a.png")
        step.at(3, 3)
        step.line = "588 normal · 313 anomalous"
    with board.step("validate") as step:
        step.line, step.reused = "14 checks", True
    first, second = board.console.file.getvalue().splitlines()
    assert first.startswith("[1/8] ingest      ✓ 588 normal · 313 anomalous")
    assert first.endswith("0:00")
    assert second.startswith("[2/8] validate    ✓ 14 checks")
    assert second.endswith("reused")
    assert [(t.step, t.reused) for t in board.timings] == [("ingest", False), ("validate", True)]


def test_long_work_on_a_terminal_shows_count_rate_and_time_left() -> None:
    board = StepBoard(1)
    screen = io.StringIO()
    board.console = Console(file=screen, width=120, force_terminal=True)
    with board.step("tune") as step:
        step.total(12)
        for _ in range(3):
            time.sleep(0.05)
            step.advance("padim/lite0")
        time.sleep(0.2)
    shown = screen.getvalue()
    assert "3/12" in shown
    assert re.search(r"\d+/min", shown)
    assert "padim/lite0" in shown


def test_for_a_machine_the_standard_output_stays_clean(capsys) -> None:
    with StepBoard(1, quiet=True).step("ingest") as step:
        step.line = "done"
    assert capsys.readouterr().out == ""
