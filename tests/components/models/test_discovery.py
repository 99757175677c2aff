"""Detectors are found by being there, and a file that holds none is told which and why."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from components import models
from components.models import KINDS, Detector
from components.models.detector import DetectorParams
from components.models.discovery import detectors_in

HEAD = """
from typing import ClassVar, Literal
from components.models.detector import DetectorFacts, DetectorParams
FACTS = DetectorFacts(
    summary="a toy", paper="none", backbones=("none",), training="one pass", fit_time="seconds"
)
"""
TOY = """
class {name}(DetectorParams):
    facts: ClassVar[DetectorFacts] = FACTS
    kind: Literal["{kind}"] = "{kind}"
    def build(self, store, image_size_px, seed): ...
"""
Found = Callable[..., dict[str, type[DetectorParams]]]


def toy(name: str, kind: str) -> str:
    return HEAD + TOY.format(name=name, kind=kind)


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Found:
    """Write the modules of a package and look for detectors in it."""
    package = f"toys_{abs(hash(request.node.nodeid))}"
    folder = tmp_path / package
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    def look(**sources: str) -> dict[str, type[DetectorParams]]:
        for name, source in sources.items():
            (folder / f"{name}.py").write_text(source.replace("PACKAGE", package))
        return detectors_in(package, [str(folder)])

    return look


def test_each_module_that_defines_a_detector_is_one_in_alphabetical_order(found: Found) -> None:
    kinds = found(zebra=toy("Zebra", "zebra"), ant=toy("Ant", "ant"))
    assert [(kind, of.__name__) for kind, of in kinds.items()] == [
        ("ant", "Ant"),
        ("zebra", "Zebra"),
    ]


def test_a_module_that_merely_uses_a_detector_is_none(found: Found) -> None:
    kinds = found(
        ant=toy("Ant", "ant"), hill="from PACKAGE.ant import Ant, DetectorParams\nX = Ant"
    )
    assert list(kinds) == ["ant"]


def test_a_second_name_of_a_class_is_no_second_detector(found: Found) -> None:
    assert list(found(ant=toy("Ant", "ant") + "\nOld = Ant\n")) == ["ant"]


def test_sub_packages_are_not_looked_into(found: Found, tmp_path: Path) -> None:
    found(ant=toy("Ant", "ant"))
    (package,) = tmp_path.iterdir()
    (package / "networks").mkdir()
    (package / "networks/__init__.py").write_text("raise ImportError('torch')")
    assert list(found()) == ["ant"]


NO_KIND = TOY.format(name="Bee", kind="bee").replace('    kind: Literal["bee"] = "bee"\n', "")
NO_LITERAL = TOY.format(name="Bee", kind="bee").replace('Literal["bee"]', "str")
NO_DEFAULT = TOY.format(name="Bee", kind="bee").replace(' = "bee"', "")
NO_FACTS = TOY.format(name="Bee", kind="bee").replace(
    "    facts: ClassVar[DetectorFacts] = FACTS\n", ""
)
NO_BUILD = TOY.format(name="Bee", kind="bee").partition("    def build")[0]
TWO = TOY.format(name="Bee", kind="bee") + TOY.format(name="Bumble", kind="bee")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (NO_KIND, r'bee\.py: Bee states no kind: write kind: Literal\["bee"\] = "bee"'),
        (NO_LITERAL, r"bee\.py: Bee states no kind"),
        (NO_DEFAULT, r"bee\.py: Bee states no kind"),
        (NO_FACTS, r"Bee states no facts"),
        (NO_BUILD, r"bee\.py: Bee has no build\(store, image_size_px, seed\)"),
        (TWO, r"bee\.py defines Bee and Bumble: a file holds one detector"),
    ],
)
def test_what_is_no_detector_is_told_with_its_file(source: str, message: str, found: Found) -> None:
    with pytest.raises(TypeError, match=message):
        found(bee=HEAD + source)


def test_a_file_has_the_name_of_its_kind_so_no_two_are_of_one(found: Found) -> None:
    with pytest.raises(TypeError, match=r"bee\.py: Bee is of kind 'ant', .* named after it"):
        found(ant=toy("Ant", "ant"), bee=toy("Bee", "ant"))


def test_the_detectors_of_the_project_are_its_files() -> None:
    folder = Path(models.__path__[0])
    files = {p.stem for p in folder.glob("*.py") if "(DetectorParams)" in p.read_text("utf-8")}
    assert list(KINDS) == sorted(files)
    assert len(KINDS) >= 19
    assert get_args(get_args(Detector)[0]) == tuple(KINDS.values())
