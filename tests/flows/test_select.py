"""``defectloop select``: one answer for one table, and a record that anyone can replay."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from flows.cli import main

ROOT = Path(__file__).parents[2]
PAPER = ROOT / "docs/examples/paper003"
TABLE, STATED = PAPER / "table.csv", PAPER / "criteria_stated.yaml"
PROMISED = {
    "winner",
    "shortlist",
    "ranking",
    "front",
    "rejected",
    "stability",
    "knee",
    "method",
    "digest",
}


def answer(capsys, *arguments: object) -> dict:
    assert main(["select", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys, *arguments: object) -> str:
    assert main(["select", *map(str, arguments)]) != 0
    return capsys.readouterr().err


def test_json_holds_what_is_promised(capsys) -> None:
    told = answer(capsys, TABLE, "--criteria", STATED)
    assert set(told) >= PROMISED
    assert told["winner"] == "Efficient_AD"
    assert told["runner_up"].startswith("STFPM/")
    assert told["knee"] is True
    assert set(told["ranking"][0]) >= {"name", "score"}
    assert {"name": "GANomaly", "reason": "pixel_f1 was not measured"} in told["rejected"]


def test_rows_and_columns_in_another_order_give_the_same_digest(capsys, tmp_path: Path) -> None:
    header, *lines = [line.split(",") for line in TABLE.read_text().splitlines()]
    turned = [header[::-1], *(line[::-1] for line in reversed(lines))]
    other = tmp_path / "other.csv"
    other.write_text("\n".join(",".join(line) for line in turned))
    first = answer(capsys, TABLE, "--criteria", STATED)
    assert answer(capsys, other, "--criteria", STATED)["digest"] == first["digest"]


def test_another_process_gives_the_same_digest_and_imports_nothing_heavy(capsys) -> None:
    program = (
        "import sys\nfrom flows.cli import main\n"
        f"main(['select', {str(TABLE)!r}, '--criteria', {str(STATED)!r}, '--json'])\n"
        "heavy = {'torch', 'pandas', 'prefect', 'mlflow', 'matplotlib', 'scipy', 'sklearn'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    told = answer(capsys, TABLE, "--criteria", STATED)
    assert json.loads(done.stdout)["digest"] == told["digest"]


def test_another_seed_is_another_decision(capsys) -> None:
    first = answer(capsys, TABLE, "--criteria", STATED)
    other = answer(capsys, TABLE, "--criteria", STATED, "--seed", 1)
    assert other["digest"] != first["digest"]


def test_a_record_replays_to_its_digest_from_the_file_or_the_output(capsys, tmp_path: Path) -> None:
    kept, printed = tmp_path / "decision.json", tmp_path / "printed.json"
    told = answer(capsys, TABLE, "--criteria", STATED, "--out", kept)
    printed.write_text(json.dumps(told))
    for record in (kept, printed):
        assert answer(capsys, "--replay", record)["digest"] == told["digest"]


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("winner", "DSR", "winner differ"),
        ("seed", 7, "does not replay"),
        ("digest", "0" * 64, "its digest is"),
        ("front", [], "front differ"),
    ],
)
def test_an_edited_record_is_refused(capsys, tmp_path: Path, field, value, says) -> None:
    record = tmp_path / "decision.json"
    record.write_text(json.dumps(answer(capsys, TABLE, "--criteria", STATED) | {field: value}))
    told = refused(capsys, "--replay", record)
    assert told.startswith("E271")
    assert says in told


@pytest.mark.parametrize("text", ["", "{}", "[1, 2]", "not json", '{"criteria": 1}'])
def test_what_is_no_record_is_refused(capsys, tmp_path: Path, text: str) -> None:
    record = tmp_path / "decision.json"
    record.write_text(text)
    assert refused(capsys, "--replay", record).startswith("E270")


def test_a_record_with_broken_candidates_is_refused(capsys, tmp_path: Path) -> None:
    record, told = tmp_path / "decision.json", answer(capsys, TABLE, "--criteria", STATED)
    for candidates in ([{}], [{"name": 1}], told["candidates"][:1] * 2):
        record.write_text(json.dumps(told | {"candidates": candidates}))
        assert refused(capsys, "--replay", record).startswith("E270")


def test_a_table_without_criteria_or_a_record_beside_a_table_is_wrong_usage(capsys) -> None:
    for arguments in ((TABLE,), (), (TABLE, "--replay", TABLE), ("--criteria", STATED)):
        assert refused(capsys, *arguments).startswith("E272")
    assert main(["select"]) == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("criteria: []", "criteria"),
        ("criteria: [{name: ms, goal: fast, aspiration: 1, reservation: 2}]", "goal"),
        ("criteria: [{name: ms, goal: min, aspiration: 3, reservation: 2}]", "must be better than"),
        ("criteria: [{name: ms, goal: min, aspiration: 1, reservation: 2}]\nseeds: 3", "num_seeds"),
        (
            "criteria: [{name: ms, goal: min, aspiration: 1, reservation: 2}]\n"
            "limits: [{name: ms}]",
            "needs min or max",
        ),
        ("- 1", "not a mapping"),
        ("criteria: [", "not readable YAML"),
    ],
)
def test_criteria_that_cannot_be_meant_are_refused(capsys, tmp_path: Path, text, says) -> None:
    criteria = tmp_path / "criteria.yaml"
    criteria.write_text(text)
    assert says in refused(capsys, TABLE, "--criteria", criteria)


def test_an_unknown_criterion_is_answered_with_the_columns_there_are(
    capsys, tmp_path: Path
) -> None:
    criteria = tmp_path / "criteria.yaml"
    criteria.write_text("criteria: [{name: auroc, goal: max, aspiration: 1, reservation: 0}]")
    told = refused(capsys, TABLE, "--criteria", criteria)
    assert told.startswith("E266")
    assert "It has: train_min, inference_ms, image_auroc, image_f1, pixel_auroc, pixel_f1." in told


def test_a_person_reads_the_answer_the_reasons_and_the_way_back(capsys, tmp_path: Path) -> None:
    kept = tmp_path / "decision.json"
    assert main(["select", str(TABLE), "--criteria", str(STATED), "--out", str(kept)]) == 0
    told = capsys.readouterr().out
    assert "answer       Efficient_AD: the knee of the front, first in" in told
    assert "★ Efficient_AD" in told
    assert "rejected     DFKDE/ResNet18, DFKDE/WideResNet50, GANomaly: pixel_f1 was not" in told
    assert "would change With" in told
    assert f"defectloop select --replay {kept}" in told
    own = [line for line in told.splitlines() if "ignored" not in line and str(kept) not in line]
    assert all(len(line) <= 120 for line in own)


def test_a_shortlist_has_no_winner_and_nothing_left_says_so(capsys, tmp_path: Path) -> None:
    table, criteria = tmp_path / "t.csv", tmp_path / "c.yaml"
    table.write_text("name,auroc_mean,auroc_std,ms\na,0.95,0.02,10\nb,0.951,0.02,10\n")
    text = (
        "criteria:\n- {name: auroc, goal: max, aspiration: 1, reservation: 0.8}\n"
        "- {name: ms, goal: min, aspiration: 5, reservation: 50, log: true}\n"
    )
    criteria.write_text(text)
    told = answer(capsys, table, "--criteria", criteria)
    assert (told["winner"], sorted(told["shortlist"])) == (None, ["a", "b"])
    criteria.write_text(text + "limits: [{name: ms, max: 1}]\n")
    assert answer(capsys, table, "--criteria", criteria)["shortlist"] == []
    assert main(["select", str(table), "--criteria", str(criteria)]) == 0
    assert "Nothing to choose from: every row is rejected." in capsys.readouterr().out
