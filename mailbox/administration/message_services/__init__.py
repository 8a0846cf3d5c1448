"""Another supplier's message service, which an organisation's functions use by its API: pages and acts."""
