"""The page: whole, in order, self-contained, and quiet where something is missing."""

import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from components.records import MetricResult, Outcome, Reject, Rejection
from components.report.console import closing_lines
from components.report.page import breakable, render, sections
from tests.components.report import factory, measured

ORDER = [
    "verdict",
    "champion",
    "data",
    "choice",
    "scores",
    "curves",
    "cases",
    "stress",
    "study",
    "cost",
    "lineage",
    "limits",
]
VOID = {"meta", "img", "wbr", "br"}
FETCHING = {"src", "href", "xlink:href", "action", "data", "poster", "srcset"}


class Page(HTMLParser):
    """Collects what the tests ask about."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.words = ""
        self.headings: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in {"h2", "h3"}:
            self.headings.append(data)
        if "style" not in self.open[-1:]:
            self.words += data

    def values(self, tag: str, name: str) -> list[str]:
        return [v for t, n, v in self.attributes if (t, n) == (tag, name)]


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run_dir = tmp_path_factory.mktemp("full")
    return render(factory.run_summary(run_dir), run_dir)


@pytest.fixture(scope="module")
def page(full: Path) -> Page:
    return Page(full.read_text(encoding="utf-8"))


def test_all_sections_stand_in_reading_order(page: Page):
    assert page.values("section", "id") == ORDER
    assert page.values("a", "href") == [f"#{anchor}" for anchor in ORDER]
    assert page.open == []
    assert page.headings[:4] == ["Verdict", "Gates", "Cautions", "Champion and challenger"]


def test_nothing_is_fetched_and_nothing_runs(full: Path, page: Page):
    fetched = [v for _, name, v in page.attributes if name in FETCHING]
    assert fetched
    assert all(v.startswith(("#", "data:image/png;base64,")) for v in fetched)
    assert "http" not in full.read_text(encoding="utf-8").replace("http-equiv", "")
    assert not {"script", "link", "iframe", "object", "form"} & set(page.tags)
    assert not [n for _, n, _ in page.attributes if n.startswith("on")]
    assert "@import" not in full.read_text(encoding="utf-8")


def test_every_plot_and_picture_is_in_the_file(page: Page):
    plots = page.values("svg", "class")
    assert plots == ["pareto", "scores", "curves", "recalls", "stress", "tuning"]
    pictures = page.values("img", "src")
    # 3 misses of three pictures, 3 false alarms of two, one thumbnail of two (fixed: none kept)
    assert len(pictures) == 3 * 3 + 3 * 2 + 2
    assert all(page.values("img", "alt"))


def test_the_console_prints_the_path_of_a_page_that_exists(tmp_path: Path):
    summary = factory.bad_data()
    written = render(summary, tmp_path / "runs" / summary.run_id)
    printed = [line.split()[1] for line in closing_lines(summary) if line.startswith("Report")]
    assert (tmp_path / printed[0]) == written
    assert written.is_file()


def test_the_figures_of_the_run_can_be_read(page: Page):
    for words in (
        f"PROMOTED, WITH 1 CAUTION: {measured.WINNER} is champion v2.",
        "0.979 [0.959, 0.991]",
        "10/60",
        "defocus ≥ 3 raises overkill from 4 % to 31 %",
        "0.968 ± 0.003",
        "floor: random weights",
        "images/cell9999.png",
        "13 of 14 checks passed",
        "the student's loss is not finite at epoch 3",
        "fpr<=0.05 on cross-fitted normals",
        "320 scores of the fit+tune set, cross-fitted in 3 folds",
        "scratch: n/a (no image)",
        "1.1e-06",
        "defectloop run elpv --profile quick",
        "score 25.3, 6.10 below the threshold",
        "1 reused from earlier runs",
    ):
        assert words in page.words, words


def test_the_subset_is_named_at_the_top_and_beside_the_figures(page: Page):
    # once in the header, once in each section with figures but the first, once among the limits
    assert page.words.count(factory.NOTE) == 1 + 7 + 1


def test_the_same_summary_gives_the_same_bytes(full: Path, tmp_path: Path):
    again = render(factory.run_summary(tmp_path), tmp_path)
    assert again.read_bytes() == full.read_bytes()
    assert {p.name for p in tmp_path.iterdir()} == {"report.html", "pictures"}


def test_hostile_names_are_words_and_nothing_else(tmp_path: Path):
    evil = '"><script>alert(1)</script><img src=http://x/y onerror=z>&amp;'
    summary = factory.run_summary()
    case = summary.misses[0].model_copy(update={"image_path": evil, "defect_type": evil})
    summary = factory.run_summary(
        title=evil,
        verdict=evil,
        cautions=(evil,),
        profile_note=evil,
        reproduce=evil,
        counts={evil: {evil: 3}},
        rejects=(Reject(image_path=evil, code="disguised", reason=evil),),
        misses=(case,),
        stress=tuple(p.model_copy(update={"corruption": evil}) for p in summary.stress[:2]),
        lineage={evil: evil},
    )
    page = Page(render(summary, tmp_path).read_text(encoding="utf-8"))
    assert page.words.count(evil) >= 10
    assert not {"script"} & set(page.tags)
    assert not [n for _, n, _ in page.attributes if n.startswith("on")]
    assert all(v.startswith(("#", "data:")) for v in page.values("img", "src"))


def test_a_run_that_validation_stopped_says_why_each_part_is_missing(tmp_path: Path):
    page = Page(render(factory.bad_data(), tmp_path).read_text(encoding="utf-8"))
    assert page.values("section", "id") == ORDER
    assert "svg" not in page.tags
    assert "img" not in page.tags
    for words in ("3 of 57 missing", "test/crack/12.png", "No Pareto plot", "No stress test"):
        assert words in page.words
    for section in sections(factory.bad_data(), tmp_path):
        assert section.blocks, f"{section.title} is an empty box"


def test_a_first_model_has_no_champion_to_be_compared_with(tmp_path: Path):
    champion = sections(factory.first_model(), tmp_path)[1]
    assert [b.words for b in champion.blocks] == [
        "There is no comparison: the station had no champion before this run."
    ]


def test_without_masks_the_gallery_says_so(tmp_path: Path):
    cases = sections(factory.no_masks(), tmp_path)[6]
    assert "No masks are shown: there are none for these images." in [
        getattr(b, "words", "") for b in cases.blocks
    ]


def test_a_failed_gate_and_a_shortlist_are_written_in_words(tmp_path: Path):
    gates = sections(factory.blocked(), tmp_path)[0].blocks[3]
    assert [row[0].words for row in gates.rows] == ["✓ held", "✗ failed"]
    choice = sections(factory.kept(), tmp_path)[3].blocks[0]
    assert choice.words.startswith(f"No single winner. Shortlist: {measured.WINNER}, ")
    assert choice.words.endswith("the first is proposed, first in 52 % of resamples.")


def test_a_report_set_of_one_class_has_no_curves_but_a_reason(tmp_path: Path):
    report = measured.evaluation("a", 1)
    normal = tuple(p for p in report.predictions if p.gt_label == 0)
    one_class = report.model_copy(update={"predictions": normal, "results": ()})
    summary = factory.run_summary(evaluations={"winner": one_class}, comparison=())
    curves = sections(summary, tmp_path)[5]
    assert curves.blocks[0].words.startswith("No curves: the report set holds images of one class")


def test_a_lost_picture_is_said_to_be_lost(tmp_path: Path):
    run_dir = tmp_path / "run"
    summary = factory.run_summary(run_dir)
    shutil.rmtree(run_dir / "pictures")
    card = sections(summary, run_dir)[6].blocks[1].cards[0]
    assert card.pictures == ()
    assert card.missing == "Its pictures are not beside the report any more."


def test_candidates_ruled_out_for_one_reason_share_a_row(tmp_path: Path):
    rejected = tuple(Rejection(name=n, reason="too slow") for n in ("a/x", "b/y"))
    decision = measured.decision(rejected=rejected)
    table = sections(factory.run_summary(decision=decision), tmp_path)[3].blocks[-1]
    assert [row[0].words for row in table.rows if row[1].words == "too slow"] == ["a/x, b/y"]


def test_rates_at_the_declared_false_positive_rates_stand_beside_the_one_in_force(tmp_path: Path):
    scores = sections(factory.run_summary(), tmp_path)[4].blocks
    table = next(b for b in scores if b.kind == "table")
    assert [[c.words for c in row] for row in table.rows] == [
        ["0.01", "34.0", "30 % [4 %, 40 %]", "0 % [0 %, 10 %]", ""],
        ["0.05", "31.4", "17 % [4 %, 40 %]", "3.3 % [0 %, 10 %]", "in force"],
    ]


def test_an_undefined_figure_is_na_in_its_table_with_its_reason_below(tmp_path: Path):
    report = measured.evaluation("a", 1)
    none = MetricResult(
        name="aupro", value=None, num_images=0, slice={"origin": "real"}, note="no masks"
    )
    summary = factory.run_summary(
        evaluations={"winner": report.model_copy(update={"results": (none,)})}, comparison=()
    )
    _, table, note, *_ = sections(summary, tmp_path)[5].blocks
    assert [c.words for c in table.rows[0]] == ["AUPRO (limit 0.3)", "n/a"]
    assert note.words == "AUPRO (limit 0.3): n/a, no masks"


def test_every_outcome_can_be_rendered():
    from components.report.sections.verdict import OUTCOMES

    assert set(OUTCOMES) == set(Outcome)


def test_long_names_may_break_after_a_dot_or_a_slash_without_changing_when_copied():
    assert breakable("a/b·<c>") == "a/<wbr>b·<wbr>&lt;c&gt;"


@pytest.mark.skipif(not shutil.which("chromium"), reason="chromium is not installed")
def test_a_browser_without_a_network_reads_the_whole_page(full: Path, tmp_path: Path):
    quiet = (
        "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
        "--disable-background-networking --disable-component-update --disable-sync"
    )
    dumped = subprocess.run(
        [
            "chromium",
            *quiet.split(),
            f"--user-data-dir={tmp_path}",
            "--dump-dom",
            full.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    page = Page(dumped.stdout)
    assert page.values("section", "id") == ORDER
    assert page.values("svg", "class") == [
        "pareto",
        "scores",
        "curves",
        "recalls",
        "stress",
        "tuning",
    ]
    assert "Refused to" not in dumped.stderr  # the page keeps its own content policy
