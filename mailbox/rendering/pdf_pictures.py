"""A job: the first pages of a PDF as pictures. Runs in the confined process."""

import json
from base64 import b64encode
from io import BytesIO
from typing import BinaryIO

MOST_PAGES = 8
_WIDTH = 1000
_MOST_PIXELS = 4_000_000
_QUALITY = 80


def run(source: BinaryIO, target: BinaryIO) -> None:
    """A PDF in; out, JSON: `pages`, each a JPEG in base64, and `page_count`."""
    import pypdfium2

    document = pypdfium2.PdfDocument(source.read())
    pages = []
    for number in range(min(len(document), MOST_PAGES)):
        page = document[number]
        width, height = page.get_size()
        scale = min(_WIDTH / max(width, 1), (_MOST_PIXELS / max(width * height, 1)) ** 0.5)
        picture = BytesIO()
        page.render(scale=scale).to_pil().convert("RGB").save(picture, "JPEG", quality=_QUALITY)
        pages.append(b64encode(picture.getvalue()).decode())
    target.write(json.dumps({"pages": pages, "page_count": len(document)}).encode())
