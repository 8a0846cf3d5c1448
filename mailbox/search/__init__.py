"""Finding messages, notes and drafts by what they say, without an index that anybody could read.

What they say is kept encrypted; the index beside it holds only keyed hashes of its words (64 bits of
HMAC-SHA256 under the organisation's search key, `hashes`). What a word is (`words`), and which words are
forms of one (`roots`), is settled before hashing, so that a question meets the message whatever the ending.
`vocabulary` knows, hashed too, of which parts and trigrams an organisation's words are made: it finds
compounds, beginnings and misspellings. `index` writes, `find` reads, `highlight` shows where.

It finds for a person what `mailbox.access` lets them see, and nothing else.
"""

from .find import Filters, Hit, Hits, find

__all__ = ["Filters", "Hit", "Hits", "find"]
