"""The figures of everyday work in the workplace, measured in a browser beside their goals.

Each measuring function does one line of the table at a mailbox's page, and gives its figures; the tests of
test_workplace.py assert that every goal is reached. `make workplace-figures` runs those tests, prints the
table and ends with a status that is not 0 where a goal is missed.
"""

import re
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass

import pytest
from playwright.sync_api import Page, Request, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

SIZES = {"1440×900": (1440, 900), "1920×1080": (1920, 1080), "390×844": (390, 844)}
_ROWS_IN_VIEW = {"1440×900": 10, "1920×1080": 13, "390×844": 7}
_COMPACT_ROWS = 18
_PIXELS_BEFORE_TEXT = 260
_TABS_TO_ASSIGN, _TABS_TO_REPLY = 3, 4
_PROPERTY = "workplace-figure"
_FOCUS_MILLISECONDS = 10_000


@dataclass(frozen=True)
class Figure:
    """One measured number: of what, where, its goal, and whether the goal is reached."""

    subject: str
    place: str
    measured: str
    goal: str
    is_reached: bool


def at_least(subject: str, place: str, measured: int, goal: int) -> Figure:
    return Figure(subject, place, str(measured), f"≥ {goal}", measured >= goal)


def at_most(subject: str, place: str, measured: float, goal: int) -> Figure:
    return Figure(subject, place, str(round(measured)), f"≤ {goal}", measured <= goal)


def check(figures: Sequence[Figure], record_property: Callable[[str, object], None]) -> None:
    """Assert that every goal is reached, and keep the figures for the table."""
    for figure in figures:
        record_property(_PROPERTY, astuple(figure))
    assert [figure for figure in figures if not figure.is_reached] == []


def rows_in_view(page: Page) -> list[Figure]:
    """How many conversations of the list are seen whole at each size, and at the compact choice."""
    figures = []
    for name in SIZES:
        resize(page, name)
        figures.append(at_least("conversations in view", name, _whole_rows(page), _ROWS_IN_VIEW[name]))
    resize(page, "1440×900")
    page.get_by_label("Kompakt").check()
    figures.append(at_least("conversations in view, compact", "1440×900", _whole_rows(page), _COMPACT_ROWS))
    return figures


def open_assign_and_go_on(page: Page, subjects: Sequence[str]) -> list[Figure]:
    """Keys and page loads of opening the first conversation of `subjects`, assigning it, and going on."""
    page.locator(".conversations .subject a").first.focus()
    with _counted(page) as count:
        count.press("Enter")
        _expect_open(page, subjects[0])
        opening = count.keys
        focus_before = _focus(page)
        count.press("t")
        expect(page.locator(".reading-facts")).to_contain_text("Tilldelad dig")
        is_kept = _focus(page) == focus_before != "BODY"
        assigning = count.keys - opening
        count.press("j")
        _expect_open(page, subjects[1])
        next_one = count.keys - opening - assigning
    return [
        at_most("keys to open one", "1440×900", opening, 1),
        at_most("keys to assign it to me", "1440×900", assigning, 1),
        at_most("keys to go on to the next", "1440×900", next_one, 1),
        at_most("page loads of the three", "1440×900", count.page_loads, 0),
        Figure("focus after assigning", "1440×900", "kept" if is_kept else "lost", "kept", is_kept),
    ]


def finish_one(page: Page, subject_of_next: str) -> list[Figure]:
    """Keys and page loads of marking the open conversation as done, and where focus is after it."""
    with _counted(page) as count:
        count.press("e")
        _expect_open(page, subject_of_next)
        is_kept = _gets_focus(page, subject_of_next)
    return [
        at_most("keys to mark one as done", "1440×900", count.keys, 1),
        at_most("page loads of it", "1440×900", count.page_loads, 0),
        Figure("focus after done", "1440×900", "the next" if is_kept else "elsewhere", "the next", is_kept),
    ]


def answer_from_the_list(page: Page, text: str) -> list[Figure]:
    """Keys and page loads of an answer to the conversation open beside the list, and whether what it answers
    is in view at every step; the answer is on its way then."""
    page.locator(".conversations .subject a:focus").wait_for()
    original = page.locator("article.message .text").first
    seen = []
    with _counted(page) as count:
        count.press("r")
        expect(page.get_by_label("Meddelande", exact=True)).to_be_focused()
        before = count.keys
        seen.append(_is_in_view(original))
        page.keyboard.type(text)
        count.press("Control+Enter")
        expect(page.get_by_role("group", name="Granska och skicka")).to_be_visible()
        seen.append(_is_in_view(original))
        count.press("Control+Enter")
        expect(page.locator("#composer").get_by_role("status").first).to_be_visible()
        seen.append(_is_in_view(original))
    place = f"{page.viewport_size['width']}×{page.viewport_size['height']}"
    return [
        at_most("keys before the answer's text", place, before, 1),
        at_most("Ctrl+Enter after it", place, count.keys - before, 2),
        at_most("page loads of answering", place, count.page_loads, 0),
        Figure(
            "original in view while answering",
            place,
            "yes" if all(seen) else "no",
            "all the while",
            all(seen),
        ),
    ]


def finish_twenty(page: Page) -> list[Figure]:
    """Clicks of marking the first twenty conversations of the list as done."""
    boxes = page.locator(".conversations input[name=chosen]")
    with _counted(page) as count:
        boxes.first.click()
        boxes.nth(19).click(modifiers=["Shift"])
        expect(page.locator(".chosen-count")).to_have_text("20 valda")
        page.locator(".quick-actions").get_by_role("button", name="Klar").click()
        expect(page.locator("#notices")).to_contain_text("20 konversationer")
        clicks = count.clicks()
    return [at_most("clicks to mark 20 as done", "1440×900", clicks, 3)]


def pixels_before_the_text(page: Page) -> list[Figure]:
    """Where the first word of the open message begins, from the window's top, at each size. The goal is of
    windows that show three panes."""
    text = page.locator(".message .text").first
    figures = []
    for name in SIZES:
        resize(page, name)
        expect(text).to_be_visible()
        if name == "390×844":
            top = str(round(text.bounding_box()["y"]))
            figures.append(Figure("pixels before a confidential message", name, top, "", True))
            continue
        figures.append(
            at_most(
                "pixels before a confidential message", name, text.bounding_box()["y"], _PIXELS_BEFORE_TEXT
            )
        )
    resize(page, "1440×900")
    return figures


def tabs_to_the_actions(page: Page) -> list[Figure]:
    """Presses of Tab from the top of the open conversation to assigning and to answering."""
    page.locator("#reading").focus()
    reached: list[str] = []
    while not {"t", "r"} <= set(reached) and len(reached) < 30:
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.dataset.key || ''"))
    counts = {key: reached.index(key) + 1 if key in reached else len(reached) for key in ("t", "r")}
    return [
        at_most("Tabs to assign", "1440×900", counts["t"], _TABS_TO_ASSIGN),
        at_most("Tabs to reply", "1440×900", counts["r"], _TABS_TO_REPLY),
    ]


def address_book_to_draft(page: Page, function: str) -> list[Figure]:
    """Clicks from an entry of the address book that is shown to a draft to it."""
    with _counted(page) as count:
        page.get_by_role("button", name=f"Skriv till {function}").click()
        expect(page.get_by_role("heading", level=1, name="Skriv meddelande")).to_be_visible()
        clicks = count.clicks()
    expect(page.get_by_role("list", name="Till")).to_contain_text(function)
    return [at_most("clicks from an address book entry to a draft", "1440×900", clicks, 1)]


def resize(page: Page, name: str) -> None:
    """Give the window one of the sizes of `SIZES`."""
    width, height = SIZES[name]
    page.set_viewport_size({"width": width, "height": height})


class _Count:
    """Keys that were pressed, clicks that the page has had, and pages that were loaded since it began."""

    def __init__(self, page: Page) -> None:
        self.keys = self.page_loads = 0
        self._page = page
        page.evaluate(
            """() => {
                sessionStorage.setItem("clicks", "0");
                addEventListener("pointerdown", () => {
                    sessionStorage.setItem("clicks", String(Number(sessionStorage.getItem("clicks")) + 1));
                }, true);
            }"""
        )

    def press(self, key: str) -> None:
        self.keys += 1
        self._page.keyboard.press(key)

    def clicks(self) -> int:
        return int(self._page.evaluate("sessionStorage.getItem('clicks')"))

    def on_request(self, request: Request) -> None:
        self.page_loads += request.is_navigation_request() and request.frame == self._page.main_frame


@contextmanager
def _counted(page: Page) -> Generator[_Count, None, None]:
    count = _Count(page)
    page.on("request", count.on_request)
    try:
        yield count
    finally:
        page.remove_listener("request", count.on_request)


def _whole_rows(page: Page) -> int:
    return page.evaluate(
        """() => [...document.querySelectorAll(".conversations > li")].filter((row) => {
            const box = row.getBoundingClientRect();
            const foot = document.querySelector(".list-foot").getBoundingClientRect();
            const end = foot.top > 100 && foot.bottom <= innerHeight ? foot.top : innerHeight;
            return box.height > 0 && box.top >= 0 && box.bottom <= end + 1;
        }).length"""
    )


def _focus(page: Page) -> str:
    """The row or the element that has focus, by what a fragment that is fetched again keeps of it."""
    return page.evaluate(
        """() => {
            const element = document.activeElement;
            return element.closest(".conversations li")?.id || element.dataset.key || element.tagName;
        }"""
    )


def _gets_focus(page: Page, subject: str) -> bool:
    """Whether focus comes to the conversation, in the list or beside it: the list may be fetched after it."""
    try:
        page.wait_for_function(
            "subject => document.activeElement.closest('#reading, .conversations > li')"
            "?.textContent.includes(subject)",
            arg=subject,
            timeout=_FOCUS_MILLISECONDS,
        )
    except PlaywrightTimeout:
        return False
    return True


def _expect_open(page: Page, subject: str) -> None:
    expect(page.get_by_role("heading", level=1, name=re.compile(f"{subject}$"))).to_be_visible()


def _is_in_view(element) -> bool:
    """Whether nothing of the element is scrolled away or covered."""
    return element.evaluate(
        """(element) => {
            const box = element.getBoundingClientRect();
            const sees = (y) => {
                const top = document.elementFromPoint(box.left + 4, y);
                return Boolean(top) && (element.contains(top) || top.contains(element));
            };
            return box.top >= 0 && box.bottom <= innerHeight && sees(box.top + 2) && sees(box.bottom - 2);
        }"""
    )


class _Table:
    """A pytest plugin that keeps the figures of the tests that have run."""

    def __init__(self) -> None:
        self.figures: list[Figure] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self.figures += [Figure(*values) for name, values in report.user_properties if name == _PROPERTY]

    def lines(self) -> list[str]:
        rows = [("", "where", "measured", "goal", "")]
        rows += [
            (
                figure.subject,
                figure.place,
                figure.measured,
                figure.goal,
                "" if figure.is_reached else "missed",
            )
            for figure in self.figures
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        return [
            "  ".join(
                [*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]
            ).rstrip()
            for row in rows
        ]


def main() -> int:
    table = _Table()
    status = pytest.main(
        ["-q", "-n", "0", "-p", "no:cacheprovider", "-m", "figures", "tests/journeys/test_workplace.py"],
        plugins=[table],
    )
    sys.stdout.write("\n".join(["", *table.lines(), ""]))
    is_missed = not table.figures or any(not figure.is_reached for figure in table.figures)
    return int(status) or int(is_missed)


if __name__ == "__main__":
    sys.exit(main())
