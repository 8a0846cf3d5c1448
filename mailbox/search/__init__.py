"""Full-text search in messages, notes and drafts, with an index that nobody can read.

Content is encrypted; the index holds only keyed hashes of its words (64 bits of HMAC-SHA256 under the
organisation's search key, `hashes`). Texts are split into words and numbers (`words`), and words are reduced
to stems (`stems`), before hashing, so that a question finds a message whatever the ending. `vocabulary`
holds, hashed too, the parts and trigrams of an organisation's words: it finds compounds, beginnings and
misspellings. `index` writes, `query` reads, `highlight` marks matches, `results` builds what the page shows.

A search finds what `mailbox.access` lets the person see, and nothing else.
"""

from .query import Filters, Hit, Hits, Match, Position, find

__all__ = ["Filters", "Hit", "Hits", "Match", "Position", "find"]
