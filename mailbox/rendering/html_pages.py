"""A job: HTML and a stylesheet as PDF/A. Runs in the confined process."""

import json
from typing import BinaryIO


def run(source: BinaryIO, target: BinaryIO) -> None:
    """JSON in: `html`, `css` and `variant`; a PDF out. Nothing that the HTML names is fetched."""
    from weasyprint import CSS, HTML
    from weasyprint.urls import URLFetcher

    asked = json.loads(source.read())
    nothing = URLFetcher(allowed_protocols=())
    page = HTML(string=asked["html"], url_fetcher=nothing)
    style = CSS(string=asked["css"], url_fetcher=nothing)
    target.write(page.write_pdf(stylesheets=[style], pdf_variant=asked["variant"]))
