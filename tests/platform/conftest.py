from tests.nodes import two_nodes

__all__ = ["two_nodes"]
