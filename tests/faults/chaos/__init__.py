"""Two nodes that write to each other while things break: `make chaos` (docs/architecture.md, "Chaos")."""
