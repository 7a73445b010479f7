"""The files at the top agree with one another."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import recurra

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {
        normalised(name): version for name, _, version in (line.partition("==") for line in lines if line[0] != "#")
    }


def required() -> list[str]:
    project = PROJECT["project"]
    extras = [line for extra in project["optional-dependencies"].values() for line in extra]
    return [*project["dependencies"], *extras, *PROJECT["build-system"]["requires"]]


def test_the_version_is_the_same_everywhere():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")

    assert PROJECT["project"]["version"] == recurra.__version__
    assert re.findall(r"^version: (.+)$", citation, re.MULTILINE) == [recurra.__version__]


@pytest.mark.parametrize("requirement", required())
def test_every_requirement_is_pinned_at_a_version_it_allows(requirement):
    name, floor = re.fullmatch(r"([\w-]+)(?:\[\w+\])?(?:>=([\d.]+))?", requirement).groups()

    pinned = pins()[normalised(name)]

    def numbers(version: str) -> list[int]:
        return [int(part) for part in version.split(".")]

    assert numbers(pinned) >= numbers(floor or "0")


def test_pins_are_exact_and_carry_no_local_label():
    for name, version in pins().items():
        assert re.fullmatch(r"\d+(\.\d+)*(\.post\d+)?", version), (name, version)


def test_the_makefile_explains_each_of_its_targets():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")

    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE).group(1).split()
    explained = re.findall(r"^([a-z-]+):.*?## \S", makefile, re.MULTILINE)

    assert {"demo", "test", "test-slow", "check", "bench", "clean", "help"} <= set(phony)
    assert sorted(explained) == sorted(phony)


def test_the_slow_marker_names_a_target_that_is_there():
    marker = next(m for m in PROJECT["tool"]["pytest"]["ini_options"]["markers"] if m.startswith("slow:"))

    target = re.search(r"`make ([\w-]+)`", marker).group(1)

    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def test_the_changelog_keeps_a_section_for_what_is_not_released():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    headings = re.findall(r"^## \[(.+?)\]", changelog, re.MULTILINE)

    assert headings[0] == "Unreleased"
    assert set(re.findall(r"^### (.+)$", changelog, re.MULTILINE)) <= {
        "Added",
        "Changed",
        "Deprecated",
        "Removed",
        "Fixed",
        "Security",
    }
