"""The documents: what they name exists, and nothing in the repository belongs to one machine."""

import re
import subprocess
from pathlib import Path

import pytest

from lendlog.reference import commands
from services.ledger.verify import ALL_CHECKS
from shared.streams.crash_points import POINTS
from shared.topics import TOPICS

REPOSITORY = Path(__file__).parent.parent.parent
FILES = [
    REPOSITORY / name
    for name in subprocess.run(
        ["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    if (REPOSITORY / name).is_file()
]
PAGES = [file for file in FILES if file.suffix == ".md"]
WRITTEN = [page for page in PAGES if page.parent != REPOSITORY / "docs" / "reference"]


def names(pages: list[Path]) -> list[str]:
    return [str(page.relative_to(REPOSITORY)) for page in pages]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as code hosts make them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_relative_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{page.name} links to {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name} links to {link}"


def test_the_readme_has_every_command_and_no_other() -> None:
    known = {" ".join(name.split()[:2]) for name, _ in commands()}
    told = set(re.findall(r"`lendlog ([a-z-]+(?: [a-z]+)?)", (REPOSITORY / "README.md").read_text()))
    assert told >= known, f"the README lacks {known - told}"
    assert all(name in known or name.split()[0] in known for name in told), f"unknown: {told - known}"


@pytest.mark.parametrize("page", WRITTEN, ids=names(WRITTEN))
def test_topics_and_crash_points_that_are_named_exist(page: Path) -> None:
    text = page.read_text()
    assert set(re.findall(r"[a-z]+\.[a-z]+\.v\d(?:\.dlq)?\b", text)) <= {topic.name for topic in TOPICS}
    assert set(re.findall(r"`((?:claim|batch|closing|relay|snapshots|command-relay)\.[a-z-]+)`", text)) <= set(POINTS)


def test_the_architecture_names_every_topic_every_crash_point_and_the_number_of_checks() -> None:
    text = (REPOSITORY / "ARCHITECTURE.md").read_text()
    assert [topic.name for topic in TOPICS if f"`{topic.name}`" not in text] == []
    assert [point for point in POINTS if f"`{point}`" not in text] == []
    assert f"{len(ALL_CHECKS)} independent checks" in text


@pytest.mark.parametrize("page", WRITTEN, ids=names(WRITTEN))
def test_files_that_are_named_exist(page: Path) -> None:
    for name in re.findall(r"`((?:services|shared|lendlog|tests|docs)/[\w./-]*)`", page.read_text()):
        assert (REPOSITORY / name).exists(), f"{page.name} names {name}"


def test_every_declared_metric_is_in_the_reference() -> None:
    page = (REPOSITORY / "docs" / "reference" / "metrics.md").read_text()
    declared: set[str] = set()
    for file in FILES:
        if file.suffix == ".py" and file.parts[len(REPOSITORY.parts)] in ("services", "shared"):
            declared |= set(re.findall(r'(?:counter|gauge|histogram)\(\s*"(lendlog_\w+)"', file.read_text()))
    assert declared
    assert [name for name in sorted(declared) if f"`{name}`" not in page] == []


FOREIGN = re.compile(
    r"(?<![\w.])/(?:root|home|Users|work|mnt)/\w"  # a folder of somebody's machine
    r"|index-url|extra-index|find-links|--proxy"
    r"|\b(?:10\.\d+|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d+\.\d+\b"  # a private network
    r"|https?://[^\s\"'>)]*(?:pypi|pythonhosted|artifactory|nexus|repo1?\.maven)",  # where packages are fetched
)


def test_nothing_belongs_to_one_machine_or_to_a_package_index() -> None:
    found = []
    for file in FILES:
        if file == Path(__file__) or file.suffix in (".png", ".jar"):
            continue
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if FOREIGN.search(line):
                found.append(f"{file.relative_to(REPOSITORY)}:{number}: {line.strip()[:100]}")
    assert found == []
