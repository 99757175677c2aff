"""``defectloop select``: the selector on any table of figures, and a recorded decision replayed."""

import sys
from pathlib import Path

from pydantic import ValidationError

from components.errors import DataError, ParamsError, PipelineError
from components.params import read_yaml, validate
from components.records import SelectionDecision
from components.select import decide, digest, replay
from components.select.answer import answer_lines
from components.select.params import TableParams
from components.select.table import read_table


def select(
    table: Path | None,
    criteria: Path | None,
    *,
    recorded: Path | None = None,
    seed: int = 0,
    out: Path | None = None,
    plots: Path | None = None,
    as_json: bool = False,
) -> int:
    """Decide on a table, or again on a record; print the answer and keep it where asked.

    Raises:
        ParamsError: the criteria cannot be meant, or neither or both sources are given (E272).
        DataError: the table cannot be read (E260-E268), the file is no record (E270), or the
            record does not give its answer (E271).
    """
    if recorded is not None and table is None and criteria is None:
        decision, notes = _replayed(recorded)
    elif recorded is None and table is not None and criteria is not None:
        decision, notes = _decided(table, criteria, seed)
    else:
        raise ParamsError(
            "E272",
            "select reads either a table with its criteria or a recorded decision.",
            "Write TABLE.csv --criteria CRITERIA.yaml, or --replay DECISION.json.",
        )
    aside = sys.stderr if as_json else sys.stdout
    if as_json:
        print("\n".join(notes), file=aside)
        print(decision.model_dump_json(indent=1))
    else:
        print("\n".join(answer_lines(decision, notes)))
    if plots is not None:
        from components.report.decision import save_plots

        for path in save_plots(decision, plots):
            print(f"plot         {path}", file=aside)
    if out is not None:
        decision.save(out)
        print(f"replay       defectloop select --replay {out}", file=aside)
    return 0


def _decided(table: Path, criteria: Path, seed: int) -> tuple[SelectionDecision, list[str]]:
    params = validate(TableParams, read_yaml(criteria), str(criteria))
    needed = dict.fromkeys([*(c.name for c in params.criteria), *(x.name for x in params.limits)])
    read = read_table(table, tuple(needed), params.num_seeds)
    notes = [f"{table} · {len(read.rows)} rows · {len(params.criteria)} criteria · seed {seed}"]
    if read.ignored:
        notes.append(f"ignored columns: {', '.join(read.ignored)}")
    return decide(read.rows, params, seed), [*notes, *read.notes]


def _replayed(path: Path) -> tuple[SelectionDecision, list[str]]:
    recorded = _load(path)
    try:
        again = replay(recorded)
    except (ValidationError, KeyError, TypeError, ValueError) as error:
        raise _no_record(path, error) from None
    if again.digest != recorded.digest or digest(recorded) != recorded.digest:
        raise DataError(
            "E271",
            f"{path} does not replay: {_difference(recorded, again)}.",
            "The record was edited, or another version of defectloop wrote it.",
        )
    return again, [f"{path} · {len(again.candidates)} rows · replayed: the same digest"]


def _load(path: Path) -> SelectionDecision:
    if not path.is_file():
        raise DataError("E270", f"{path} is no file.", "Give a decision.json.")
    try:
        return SelectionDecision.load(path)
    except (ValidationError, UnicodeDecodeError) as error:
        raise _no_record(path, error) from None


def _no_record(path: Path, error: Exception) -> PipelineError:
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    return DataError(
        "E270", f"{path} is no recorded decision: {first}.", "Write one with --out or --json."
    )


def _difference(recorded: SelectionDecision, again: SelectionDecision) -> str:
    old, new = recorded.model_dump(mode="json"), again.model_dump(mode="json")
    differing = [name for name in old if name != "digest" and old[name] != new[name]]
    if not differing:
        return f"its digest is {again.digest[:12]}, the record says {recorded.digest[:12]}"
    return f"{', '.join(differing)} differ"
