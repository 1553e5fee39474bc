"""The gallery in a real browser, as people open it: from the disk.

Chromium is the machine's own (on Debian: ``apt install chromium``); no browser is downloaded. All
of these are synchronous, since the driver has an event loop of its own in this thread.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote

import pytest

from tests.gallery.folders import HOSTILE, put, run_batch
from veo_async.gallery import write_gallery

driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

pytestmark = pytest.mark.slow

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
Open = Callable[..., Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a real batch, with its gallery."""
    place = tmp_path_factory.mktemp("batch") / "out # 100%"
    run_batch(place)
    write_gallery(place)
    return place


@pytest.fixture(scope="module")
def thousand(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A thousand videos without posters, as without the extra."""
    place = tmp_path_factory.mktemp("thousand")
    video = next(folder.glob("0001-*.mp4"))
    for number in range(1, 1001):
        put(place, number, video=video)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "av", None)
        write_gallery(place)
    return place


@pytest.fixture(scope="module")
def browser(folder: Path, thousand: Path) -> Iterator[Any]:
    """Chromium without a window."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"there is no Chromium on this machine (none of {', '.join(NAMES)})")
    with driver.sync_playwright() as playwright:
        # Without its sandbox, with which it does not start as root; the pages are our own.
        launched = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def visit(browser: Any) -> Iterator[Open]:
    """Open the gallery of a folder. At the end its console must be empty, and it must not have used
    the network."""
    contexts: list[Any] = []
    heard: list[str] = []

    def open_(place: Path, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": 1280, "height": 860}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: heard.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: heard.append(f"error: {error}"))
        page.on("dialog", lambda dialog: heard.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: _note(heard, request.url))
        page.goto(f"file://{quote(str(place / 'index.html'))}")
        return page

    yield open_

    for context in contexts:
        context.close()
    assert heard == []


def _note(heard: list[str], url: str) -> None:
    if not url.startswith(("file:", "data:")):
        heard.append(f"request: {url}")


def until(page: Any, expression: str) -> None:
    """Wait until an expression is true in the page. The driver's own function needs ``eval``, which
    the page's policy forbids."""
    ends = monotonic() + 10
    while not page.evaluate(expression):
        assert monotonic() < ends, f"still not: {expression}"
        page.wait_for_timeout(20)


def shown(page: Any) -> list[str]:
    """The prompts of the visible cards, in their order."""
    texts: list[str] = page.locator(".card:not([hidden]) .prompt").all_text_contents()
    return texts


def focused(page: Any) -> str:
    """The prompt of the card that has the focus."""
    text: str = page.evaluate("document.activeElement.querySelector?.('.prompt')?.textContent")
    return text


def test_every_outcome_of_a_batch_is_on_the_page(visit: Open, folder: Path) -> None:
    """The cards have the order of the input. Videos have posters and lengths; failed and uncertain
    items have their reason and task id. Markup in a prompt is text."""
    page = visit(folder)

    assert shown(page) == [
        "A coffee mug on a marble counter",
        HOSTILE,
        "Let it dance",
        "Mug in the snow",
        "Waves at night",
    ]
    assert page.locator("h1").text_content() == "out # 100%"
    assert page.locator(".facts .length").all_text_contents() == ["2 s", "2 s", "", "", "2 s"]
    assert page.locator(".card.failed .reason p").text_content() == "Not that."
    assert len(page.locator(".card.failed .task").text_content()) == 36
    assert "answer proves nothing" in page.locator(".card.uncertain .reason").text_content()
    until(page, "[...document.querySelectorAll('.media > img')].every(i => i.naturalWidth > 100)")
    assert page.locator(".media > img").count() == 3


def test_the_details_of_an_item_lead_to_its_files(visit: Open, folder: Path) -> None:
    """They show the ids, and link the record, the file and its address at the service."""
    page = visit(folder)

    page.locator("summary").first.click()

    list_ = page.locator("dl")
    list_.wait_for()
    page.locator(".card.uncertain summary").click()
    page.get_by_text("may have been accepted and billed").wait_for()
    list_ = list_.first
    for term in ("Task", "Trace", "Key", "Action", "Took", "Made", "File", "Record", "Online"):
        assert list_.get_by_text(term, exact=True).count() == 1
    addresses = list_.locator("a").evaluate_all("links => links.map(a => a.getAttribute('href'))")
    assert addresses[:2] == [
        "./0001-a-coffee-mug-on-a-marble-counter.mp4",
        "./0001-a-coffee-mug-on-a-marble-counter.json",
    ]
    assert addresses[2].startswith("http://")


def test_search_and_filters_narrow_the_page(visit: Open, folder: Path) -> None:
    """Every word must occur in some field; state and model narrow the result further; Esc and the
    button show everything again."""
    page = visit(folder)
    search, count = page.get_by_role("searchbox"), page.locator("#count")
    assert count.text_content() == "5 items"

    search.fill("MUG the")
    assert shown(page) == ["Mug in the snow"]
    assert count.text_content() == "1 of 5 items"
    search.fill("0005-waves")
    assert shown(page) == ["Waves at night"]
    search.fill("nothing like it")
    assert shown(page) == []
    page.get_by_role("button", name="Show all").click()
    assert len(shown(page)) == 5

    page.get_by_role("button", name="succeeded").click()
    page.locator("#model").select_option("veo31")
    assert shown(page) == [HOSTILE]
    assert page.locator("[aria-pressed=true]").text_content() == "✓succeeded3"
    page.locator("#model").select_option("")
    page.get_by_role("button", name="uncertain").click()
    assert shown(page) == ["Mug in the snow"]
    page.keyboard.press("Escape")
    assert len(shown(page)) == 5


def test_the_keyboard_does_everything(visit: Open, folder: Path) -> None:
    """``/`` searches, the arrows move the focus from card to card, Space plays and pauses, Enter
    opens a card without a video, Tab stops at one card only."""
    page = visit(folder)
    keys = page.keyboard

    keys.press("/")
    keys.type("mug/")
    assert page.get_by_role("searchbox").input_value() == "mug/"
    keys.press("Escape")
    assert page.get_by_role("searchbox").input_value() == ""

    keys.press("ArrowDown")
    assert focused(page) == "A coffee mug on a marble counter"
    outline = "getComputedStyle(document.activeElement).outline"
    assert "solid 3px" in page.evaluate(outline)
    keys.press("ArrowRight")
    assert focused(page) == HOSTILE
    keys.press("ArrowDown")
    assert focused(page) == "Waves at night"
    keys.press("ArrowRight")
    assert focused(page) == "Waves at night"
    keys.press("ArrowUp")
    keys.press("ArrowRight")
    assert focused(page) == "Let it dance"
    keys.press("Enter")
    page.locator(".card.failed dl").wait_for()
    keys.press("Home")
    keys.press("ArrowLeft")
    assert focused(page) == "A coffee mug on a marble counter"
    keys.press("End")
    assert focused(page) == "Waves at night"
    assert page.locator(".card[tabindex='0']").count() == 1
    keys.press("Control+ArrowLeft")
    assert focused(page) == "Waves at night"

    keys.press("Space")
    until(page, "!document.activeElement.querySelector('video').paused")
    keys.press("Space")
    until(page, "document.activeElement.querySelector('video').paused")

    keys.press("/")
    keys.press("ArrowDown")
    assert focused(page) == "A coffee mug on a marble counter"


def test_screen_readers_can_read_it(visit: Open, folder: Path) -> None:
    """The name of a card is its state and prompt, and it has its position among the visible cards;
    a change of the count is announced."""
    page = visit(folder)

    card = page.get_by_role("article", name="uncertain Mug in the snow")
    assert card.get_attribute("aria-posinset") == "4"
    page.get_by_role("searchbox").fill("mug")
    assert card.get_attribute("aria-posinset") == "2"
    assert card.get_attribute("aria-setsize") == "2"
    assert page.get_by_role("status").text_content() == "2 of 5 items"
    assert page.get_by_role("feed", name="Videos").count() == 1


def test_a_video_plays_and_only_one_at_a_time(visit: Open, folder: Path) -> None:
    """A real file plays in the page: time advances, a picture appears, the next one stops it."""
    page = visit(folder)
    playing = "[...document.querySelectorAll('video')].filter(v => !v.paused && v.currentTime > 0)"

    page.locator(".play").first.click()
    until(page, f"{playing}.length === 1 && {playing}[0].videoWidth === 256")
    page.locator(".play").nth(1).click()
    until(page, f"{playing}.length === 1 && {playing}[0].videoHeight === 256")
    page.get_by_role("searchbox").fill("waves")

    until(page, f"{playing}.length === 0")


def test_a_file_that_cannot_be_played_says_so(visit: Open, tmp_path: Path) -> None:
    """It may be damaged, or have a format that this browser lacks."""
    (tmp_path / "0001-broken.mp4").write_bytes(b"this is no video")
    write_gallery(tmp_path)
    page = visit(tmp_path)

    page.locator(".card").focus()
    page.keyboard.press("Enter")

    until(page, "document.querySelector('.length').textContent === 'cannot be played'")


def test_a_thousand_videos_load_as_they_come_into_view(visit: Open, thousand: Path) -> None:
    """All cards exist, but only those near the visible part have a player; a player that was
    scrolled away releases its file."""
    page = visit(thousand)
    players = page.locator("video")
    assert page.locator("#count").text_content() == "1,000 items"
    until(page, "document.querySelectorAll('video').length > 3")
    most = players.count()

    for part in (0.25, 0.5, 0.75, 1.0):
        page.evaluate(f"scrollTo(0, document.body.scrollHeight * {part})")
        until(
            page,
            "[...document.querySelectorAll('video')].some(v => v.readyState > 0"
            " && v.getBoundingClientRect().top < innerHeight && v.getBoundingClientRect().top > 0)",
        )
        most = max(most, players.count())
    page.keyboard.press("End")
    last = page.locator(".card").last

    assert most < 60
    assert last.locator("video").count() == 1
    until(page, "document.querySelector('.card:last-child .length').textContent")
    assert last.locator(".length").text_content() == "2 s"  # as the video itself says
    assert page.locator(".card").first.locator("video").count() == 0
    page.get_by_role("searchbox").fill("item 777")
    assert shown(page) == ["Item 777"]


def test_a_playing_video_continues_out_of_view(visit: Open, thousand: Path) -> None:
    """Its sound can still be heard."""
    page = visit(thousand)

    page.locator(".play").first.click()
    until(page, "document.querySelector('video').currentTime > 0")
    page.evaluate("scrollTo(0, document.body.scrollHeight / 2)")
    until(page, "document.querySelectorAll('.card:nth-child(500) video').length")

    assert page.locator(".card").first.locator("video").evaluate("v => v.paused") is False


@pytest.mark.parametrize(
    "scheme, width, is_dark", [("light", 1280, False), ("dark", 1280, True), ("light", 320, False)]
)
def test_it_follows_the_system_and_the_window(
    visit: Open, folder: Path, scheme: str, width: int, is_dark: bool
) -> None:
    """It is dark if the system is, and never wider than the window."""
    page = visit(folder, color_scheme=scheme)

    page.set_viewport_size({"width": width, "height": 700})

    brightness = "parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])"
    assert (page.evaluate(brightness) < 128) == is_dark
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_an_edited_record_leads_nowhere(visit: Open, folder: Path, tmp_path: Path) -> None:
    """Addresses of other schemes are text; files outside of the folder are not shown; values of a
    wrong type are ignored; an unreadable record is mentioned."""
    video = {"video_url": "javascript:alert(1)", "state": "succeeded"}
    request = {"image_urls": ["javascript:alert(2)", "HTTPS://x.example/a.png"], "prompt": HOSTILE}
    put(
        tmp_path,
        1,
        request=request,
        result={"success": True, "data": [video]},
        files=["../secret.mp4", "/etc/passwd", {"name": 1}, "missing.mp4"],
        state="<b>",
        task_id=["x"],
        error={"message": HOSTILE},
    )
    shutil.copy(next(folder.glob("0001-*.mp4")), tmp_path / "javascript:alert(3).mp4")
    (tmp_path / "<img src=x onerror=alert(4)>.json").write_text("{}")
    write_gallery(tmp_path, title=HOSTILE)
    page = visit(tmp_path)

    page.locator("summary").first.click()
    page.locator("dl").wait_for()
    page.locator(".play").click()

    assert page.title() == HOSTILE
    assert page.locator(".card.pending .prompt").text_content() == HOSTILE
    assert page.locator(".card.pending .reason p").text_content() == HOSTILE
    addresses = page.locator("a").evaluate_all("links => links.map(a => a.getAttribute('href'))")
    assert addresses == ["HTTPS://x.example/a.png", "./0001-item.json"]
    until(page, "document.querySelector('video')?.readyState > 0")
    assert page.locator("video").get_attribute("src") == "./javascript%3Aalert%283%29.mp4"
    assert "onerror=alert(4)" in page.locator("#notes").text_content()


def test_the_policy_forbids_what_the_page_does_not_do(browser: Any, folder: Path) -> None:
    """Even if markup got into the page, it could neither run nor use the network."""
    page = browser.new_page()
    page.goto(f"file://{quote(str(folder / 'index.html'))}")

    done = page.evaluate(
        """async () => {
            const tried = {};
            try { document.body.innerHTML = '<b>x</b>'; tried.markup = true } catch { }
            const script = document.createElement('script');
            try { script.textContent = 'window.ran = true'; document.body.append(script) } catch { }
            tried.ran = window.ran;
            try { await fetch('http://127.0.0.1:9/'); tried.fetch = true } catch { }
            const style = document.createElement('style');
            style.textContent = 'body { display: none }';
            document.head.append(style);
            tried.hidden = getComputedStyle(document.body).display === 'none' || undefined;
            return tried;
        }"""
    )
    page.close()

    assert {name for name, value in done.items() if value} == set()


LEADS_AWAY = [
    "./../../../etc/passwd",
    "./a/b",
    ".\\..\\secret",
    "./..",
    "../secret",
    "/etc/passwd",
    "//host/share",
    "\\\\host\\share",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "https:/etc/passwd",
    "https:\\\\evil.example",
    "https://x.example\\@evil.example/",
    "https://x.example/\tq",
    "\u0001https://x.example/",
    "data:text/html,x",
]


def test_no_link_leaves_the_folder(visit: Open, tmp_path: Path) -> None:
    """A record may have been edited. Its addresses are links only if they lead to the web; the
    only files that are linked are those of the folder."""
    put(
        tmp_path,
        1,
        request={"prompt": "p", "action": "get_1080p", "image_urls": LEADS_AWAY, "video_id": "./x"},
        files=[*LEADS_AWAY, ".", ".."],
        result={"data": [{"id": "v", "video_url": "https:\\\\evil.example"}]},
    )
    put(tmp_path, 2, result={"data": [{"id": "v", "video_url": "https://x.example/\ta"}]})
    secret = tmp_path.parent / "secret.mp4"
    secret.write_bytes(b"")
    (tmp_path / "0003-link.mp4").symlink_to(secret)
    write_gallery(tmp_path)
    page = visit(tmp_path)

    for summary in page.locator("summary").all():
        summary.click()
    page.locator("dl").nth(1).wait_for()

    addresses = page.locator("a").evaluate_all("links => links.map(a => a.getAttribute('href'))")
    assert addresses == ["./0001-item.json", "./0002-item.json"]
    assert "./../../../etc/passwd" in page.locator("dl").first.text_content()
