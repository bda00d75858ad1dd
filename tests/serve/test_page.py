"""The page in a real Chromium, with a camera and a microphone that play the demo clip."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.serving import asked, serving, wait_until

from edge_ser import EdgeRecognizer
from edge_ser.serve.app import PAGE
from edge_ser.serve.server import Server

# Before anything of the page runs: what it asks the browser for is noted.
WATCH = """
window.asked = [];
const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (wanted) => {
  window.asked.push(wanted);
  window.media = await real(wanted);
  return window.media;
};
"""
# Headline and bars as they stand after every change of either.
RECORD = """
window.shown = [];
new MutationObserver(() => {
  const bars = [...document.querySelectorAll("#bars li")].map((bar) => [
    bar.querySelector(".name").textContent, parseInt(bar.querySelector(".value").textContent)]);
  window.shown.push({ label: document.querySelector("#answer").textContent, bars });
}).observe(document.querySelector("#live"), { subtree: true, childList: true, attributes: true });
"""
CONTRADICTION = """
async () => {
  const { answerOf, senseOf } = await import("/page/answer.js");
  const absent = { present: false, contribution: null, reason: "nobody speaks", notes: [] };
  const face = { present: true, contribution: 1.5, reason: null, notes: [] };
  const decision = {
    probabilities: { happy: 0.7, angry: 0.3 }, abstained: false, abstain_reason: null,
    modalities: { audio: absent, text: absent, video: face },
    live: { steady_label: "happy", steady_probabilities: { happy: 0.4, angry: 0.56 } },
  };
  const none = { ...decision, abstained: true, live: { steady_probabilities: null },
    abstain_reason: "too little evidence: it is not enough" };
  return [answerOf(decision), senseOf(decision, "video", "angry"),
    senseOf(decision, "video", "happy"), senseOf(decision, "audio", "angry"), answerOf(none)];
}
"""

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser(demo_clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from fixtures.browser import chromium, fake_devices

    devices = fake_devices(demo_clip, tmp_path_factory.mktemp("devices"))
    with chromium([*devices, "--use-fake-ui-for-media-stream"]) as running:
        yield running


@pytest.fixture
def server(recognizer: EdgeRecognizer) -> Iterator[Server]:
    with serving(recognizer) as running:
        yield running


@pytest.fixture
def page(browser: Any, server: Server) -> Iterator[Any]:
    opened = browser.new_page()
    opened.set_default_timeout(60_000)
    opened.requests, opened.sockets, opened.errors = [], [], []
    opened.on("request", lambda request: opened.requests.append(request.url))
    opened.on("websocket", lambda socket: opened.sockets.append(socket.url))
    opened.on("pageerror", lambda error: opened.errors.append(str(error)))
    opened.add_init_script(WATCH)
    opened.goto(f"{server.address}/")
    opened.wait_for_load_state("networkidle")
    yield opened
    assert opened.errors == []
    assert all(url.startswith((server.address, "ws://127.0.0.1")) for url in opened.requests)
    opened.close()


def test_nothing_is_turned_on_or_sent_before_consent(page: Any, server: Server) -> None:
    assert page.inner_text("h1:visible") == "This page estimates emotion"
    page.get_by_role("button", name="No, thank you").click()
    assert page.inner_text("h1:visible") == "That is fine"
    assert page.evaluate("window.asked") == []
    assert page.sockets == []
    assert not server.service.conversations.open


def test_the_headline_is_the_highest_of_the_bars_whatever_is_shown(
    page: Any, server: Server, recognizer: EdgeRecognizer
) -> None:
    page.evaluate(RECORD)
    page.get_by_role("button", name="I agree, begin").click()
    some = "window.shown.filter((s) => s.bars.some((b) => b[1] > 0)).length > 3"
    wait_until(lambda: page.evaluate(some), 120)
    assert page.get_by_text("Emotion is being inferred").is_visible()
    labels = list(recognizer.labels)
    for shown in page.evaluate("window.shown"):
        names, shares = zip(*shown["bars"], strict=True) if shown["bars"] else ((), ())
        if shown["label"] in ("Listening", "No emotion is named") or not names:
            continue
        assert list(names) == labels
        assert max(shares) == dict(shown["bars"])[shown["label"]]
    assert len(server.service.conversations.open) == 1
    assert page.evaluate("document.querySelector('#past path').getAttribute('d')").startswith("M")


def test_keyboard_alone_begins_and_stops_and_devices_go_off(page: Any, server: Server) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "agree"
    page.keyboard.press("Enter")
    page.wait_for_selector("#live:not([hidden])")
    wait_until(lambda: len(server.service.conversations.open) == 1, 60)
    assert page.evaluate("document.activeElement.id") == "answer"
    page.keyboard.press("Escape")
    assert "are off" in page.inner_text("#why")
    assert page.evaluate("document.activeElement.id") == "asking-title"
    states = page.evaluate("window.media.getTracks().map((track) => track.readyState)")
    assert states == ["ended", "ended"]
    wait_until(lambda: not server.service.conversations.open, 60)


def test_a_label_that_the_bars_contradict_is_never_shown(page: Any) -> None:
    answer, newest_elsewhere, newest, absent, none = page.evaluate(CONTRADICTION)
    assert (answer["label"], answer["probabilities"]["angry"]) == ("angry", 0.56)
    # The newest moment says happy: how far it leans says nothing of angry.
    assert (newest_elsewhere["word"], newest_elsewhere["lean"]) == ("used", 0)
    assert (newest["word"], newest["lean"]) == ("for happy", 0.5)
    assert (absent["word"], absent["detail"]) == ("not used", "Nobody speaks.")
    assert (none["label"], none["reason"]) == (None, "Too little evidence: it is not enough.")


def test_a_server_that_is_gone_is_told(browser: Any, recognizer: EdgeRecognizer) -> None:
    page = browser.new_page()
    with serving(recognizer) as server:
        page.goto(f"{server.address}/")
        page.click("#agree")
        wait_until(lambda: len(server.service.conversations.open) == 1, 60)
    wait_until(lambda: "No connection" in page.inner_text("#state"), 60)
    page.close()


@pytest.mark.parametrize(("width", "height"), [(360, 640), (1280, 800), (3840, 2160)])
def test_nothing_runs_out_of_the_window(
    browser: Any, server: Server, width: int, height: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": height})
    page.goto(f"{server.address}/")
    for state in ("asking", "live"):
        if state == "live":
            page.click("#agree")
            page.wait_for_selector("#bars li")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if width > 1000:
            assert page.evaluate("document.documentElement.scrollHeight") <= height
    page.close()


def _contrast(one: str, other: str) -> float:
    """WCAG 2.2's contrast ratio of two colours."""

    def luminance(color: str) -> float:
        color = color if len(color) == 6 else "".join(2 * c for c in color)
        parts = [int(color[i : i + 2], 16) / 255 for i in (0, 2, 4)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_text_and_bars_can_be_told_from_what_is_behind_them(server: Server) -> None:
    status, headers, style = asked(server, "GET", "/page/page.css")
    assert (status, headers["content-type"].split(";")[0]) == (200, "text/css")
    light, dark = re.findall(r":root \{(.*?)\}", style.decode(), re.DOTALL)
    for scheme in (light, dark):
        colors = dict(re.findall(r"--(\w[\w-]*): #([0-9a-f]+)", scheme))
        for text, behind in (
            ("ink", "page"),
            ("ink", "card"),
            ("quiet", "page"),
            ("quiet", "card"),
        ):
            assert _contrast(colors[text], colors[behind]) >= 4.5
        assert _contrast(colors["on-accent"], colors["accent"]) >= 4.5
        assert _contrast(colors["warn"], colors["track"]) >= 4.5
        for name in colors:
            if re.fullmatch(r"c\d", name):
                assert _contrast(colors[name], colors["card"]) >= 3, name


def test_the_page_names_nothing_outside() -> None:
    for file in PAGE.iterdir():
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert re.findall(r"https?://(?!localhost)[a-z]", text) == [], file.name
