"""Files of messages and drafts: upload, preview, download."""
