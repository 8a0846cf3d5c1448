"""How a page looks and reads to everybody: in light and dark, with the reader's own colours, on a small
screen, at 400 %, without motion, and on paper."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

# Targets of 24 px are a rule of WCAG 2.2, which axe leaves off unless it is asked for.
_WITH_TARGETS = {"rules": {"target-size": {"enabled": True}}, "resultTypes": ["violations"]}
_CONTRAST_ALONE = {"runOnly": ["color-contrast"], "resultTypes": ["violations"]}
# So high that no row of a list stands half under the list's foot: axe takes the rest for its size.
_LARGE = {"width": 1200, "height": 3000}
_SMALL = {"width": 320, "height": 640}
# A window of 1280 by 1024 at 400 %.
_MAGNIFIED = {"width": 320, "height": 256}
# A4, in the pixels that browsers print by.
_PAPER = {"width": 794, "height": 1123}

# What of a page stands beyond its right edge, and is not scrolled in a region of its own.
_BEYOND_THE_EDGE = """
    [...document.querySelectorAll("body *")]
        .filter((element) => !element.parentElement.closest(".wide"))
        .filter((element) => element.getBoundingClientRect().right > document.documentElement.clientWidth)
        .map((element) => element.outerHTML.slice(0, 100))
        .slice(0, 5)
"""
_MOVES = """
    [...document.querySelectorAll("*")]
        .filter((element) => {
            const style = getComputedStyle(element);
            const lasts = (times) => times.split(",").some((time) => parseFloat(time) > 0);
            const isAnimated = style.animationName !== "none" && lasts(style.animationDuration);
            return isAnimated || lasts(style.transitionDuration) || style.scrollBehavior === "smooth";
        })
        .map((element) => element.outerHTML.slice(0, 100))
        .slice(0, 5)
"""
# What can be pressed or filled in is of no use on paper.
_PRESSABLE = """
    [...document.querySelectorAll("button, input, select, textarea, nav, dialog, .button")]
        .filter((element) => element.checkVisibility() && element.getBoundingClientRect().height > 0)
        .map((element) => element.outerHTML.slice(0, 100))
        .slice(0, 5)
"""
_IS_PRINTED = """
    [...document.querySelectorAll("main h1, main .list-name")].some((element) => element.checkVisibility())
"""
# What has a place of its own on the screen, however little of the page is then seen.
_COVERS = """
    [...document.querySelectorAll("body *")]
        .filter((element) => ["fixed", "sticky"].includes(getComputedStyle(element).position))
        .filter((element) => element.checkVisibility() && !element.closest(".toast, dialog, [popover]"))
        .filter((element) => element.getBoundingClientRect().height > innerHeight / 2)
        .map((element) => element.outerHTML.slice(0, 100))
        .slice(0, 5)
"""


def problems_of(page: Page, *, options: dict[str, Any] = _WITH_TARGETS) -> list[tuple[str, list[str]]]:
    """What axe finds on the page as it is now."""
    results = Axe().run(page, options=options)
    return [
        (violation["id"], [node["html"][:160] for node in violation["nodes"]])
        for violation in results.response["violations"]
    ]


def faults_of(page: Page) -> dict[str, object]:
    """What is wrong with the page that is open, by the look in which it is wrong; the page is left light."""
    found: dict[str, object] = {}
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(_LARGE)
    found["light"] = problems_of(page)
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(_SMALL)
    found["dark and small"] = problems_of(page)
    found["small"] = _too_wide(page)
    page.emulate_media(color_scheme="light", forced_colors="active")
    found["forced colours"] = problems_of(page, options=_CONTRAST_ALONE)
    page.emulate_media(color_scheme="light", forced_colors="none", reduced_motion="reduce")
    found["reduced motion"] = page.evaluate(_MOVES)
    page.set_viewport_size(_MAGNIFIED)
    found["400 %"] = _too_wide(page) or page.evaluate(_COVERS)
    page.emulate_media(media="print", reduced_motion="no-preference")
    page.set_viewport_size(_PAPER)
    found["printed"] = _too_wide(page) or page.evaluate(_PRESSABLE)
    if not page.evaluate(_IS_PRINTED):
        found["printed, its heading"] = "missing"
    page.emulate_media(media="screen", color_scheme="light")
    page.set_viewport_size(_LARGE)
    return {look: wrong for look, wrong in found.items() if wrong}


def _too_wide(page: Page) -> str:
    width, seen = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    return f"{width} px wide: {page.evaluate(_BEYOND_THE_EDGE)}" if width > seen else ""
