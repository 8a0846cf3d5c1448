from tests.faults.pages import pages
from tests.nodes import two_nodes

__all__ = ["pages", "two_nodes"]
