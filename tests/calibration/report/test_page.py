"""The page: whole in itself, verdict first, every picture named, explained and legible anywhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from fixtures.report_factory import full_report

from edge_ser.calibration.report.budget import parse_budgets
from edge_ser.calibration.report.compare import compare_reports
from edge_ser.calibration.report.page import render_page
from edge_ser.calibration.report.result import Report
from edge_ser.calibration.report.verdict import Judge

VOID = {"meta", "br", "hr", "img", "link", "input", "use", "path", "rect"}


class Page(HTMLParser):
    """Elements, ids, references and text of a page, and whether its elements close."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.figures: list[dict[str, str]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        if tag not in VOID:
            self._open.append(tag)
        if found.get("id"):
            self.ids.append(str(found["id"]))
        for name in ("href", "src", "xlink:href", "data", "action"):
            if found.get(name):
                self.references.append(str(found[name]))
        if tag == "figure":
            self.figures.append({"text": "", "caption": "", "label": ""})
        if tag == "svg":
            self.figures[-1]["label"] = str(found.get("aria-label"))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.words.append(data)
        if "figure" in self._open:
            part = "caption" if "figcaption" in self._open else "text"
            self.figures[-1][part] += data


def _judged(budgets: str, report: Report | None = None) -> Report:
    report = report or full_report()
    judge = Judge(report.latency, report.footprint, report.energy, report.accuracy)
    verdicts = judge.verdicts(parse_budgets(budgets), [("onnxruntime", "fp32")])
    passed = all(v.passed for v in verdicts)
    return report.model_copy(update={"verdicts": verdicts, "passed": passed})


@pytest.fixture(scope="module")
def text() -> str:
    report = _judged("latency_p99=1,memory=400")
    old = full_report(1.4)
    return render_page(
        report.model_copy(update={"comparison": compare_reports(old, report)}), "page.json"
    )


@pytest.fixture(scope="module")
def plain() -> Report:
    """A report without data that keeps its only budget."""
    report = full_report(data=False).model_copy(update={"no_accuracy": "No labelled clips."})
    return _judged("memory=400", report)


@pytest.fixture(scope="module")
def plain_text(plain: Report) -> str:
    return render_page(plain, "page.json")


def test_the_page_needs_nothing_from_outside(text: str) -> None:
    page = Page(text)
    assert not re.search(r"https?:|//[a-z]|@import|javascript:", text, re.I)
    assert not {"script", "iframe", "link", "img", "object", "image"} & set(page.tags)
    assert all(r.startswith("#") for r in page.references)
    assert all(not m.startswith(("http", "/")) for m in re.findall(r"url\(([^)]*)\)", text))


def test_ids_are_unique_and_references_lead_somewhere(text: str) -> None:
    page = Page(text)
    assert len(page.ids) == len(set(page.ids))
    assert page.references
    wanted = {r[1:] for r in page.references} | set(re.findall(r"url\(#([^)]+)\)", text))
    assert wanted <= set(page.ids)


def test_the_verdict_comes_first(text: str) -> None:
    words = " ".join(" ".join(Page(text).words).split())
    assert words.index("Failed") < words.index("FAILED") < words.index("Decision latency counts")
    assert "1 of 2 budgets is not kept" in words
    assert words.index("FAILED latency_p99") < words.index("passed memory")


def test_a_kept_budget_passes(plain_text: str) -> None:
    assert "1 budget, all kept." in plain_text
    assert 'class="verdict passed"' in plain_text


def test_every_picture_has_a_name_axis_titles_units_and_a_reading(text: str) -> None:
    figures = Page(text).figures
    labels = [f["label"] for f in figures]
    assert len(labels) == len(set(labels)) >= 18
    for figure in figures:
        assert len(figure["caption"].split()) >= 12, figure["label"]
        assert figure["caption"].rstrip().endswith("."), figure["label"]
        drawn = figure["text"].split("\n")
        assert len(drawn) > 5, figure["label"]
        unit = r"\bms\b|\bMB\b|\bmJ\b|%|nats|points|confidence|people|answered label"
        assert re.search(unit, figure["text"]), figure["label"]


def test_pictures_take_their_colours_from_the_page_so_that_dark_is_legible(text: str) -> None:
    body = text[text.index("<body") :]
    assert "var(--ink)" in body
    colours = set(re.findall(r"#[0-9a-f]{6}\b", body))
    assert colours == set()
    style = text[: text.index("</style>")]
    used = set(re.findall(r"var\(--([a-z]+)\)", body))
    for scheme in ("prefers-color-scheme: dark", "@media print"):
        defined = set(re.findall(r"--([a-z]+):", style[style.index(scheme) :]))
        assert used <= defined, scheme


def test_names_from_outside_are_text_never_markup(text: str) -> None:
    assert "Invented &lt;Processor&gt; &amp; Co" in text
    assert "<Processor>" not in text


def test_a_report_without_data_says_so_and_draws_no_accuracy(plain_text: str) -> None:
    page = Page(plain_text)
    assert "No labelled clips." in " ".join(page.words)
    assert not any("accuracy" in f["label"].lower() for f in page.figures)


def test_a_device_that_did_not_keep_up_is_warned_of(text: str) -> None:
    assert "did not keep up, 3 decisions were left out" in text


def test_the_same_report_gives_the_same_page(plain: Report, plain_text: str) -> None:
    assert render_page(plain, "page.json") == plain_text


def test_a_report_survives_its_json() -> None:
    report = _judged("latency_p99=100,ece=0.1")
    assert Report.model_validate_json(report.model_dump_json()) == report
