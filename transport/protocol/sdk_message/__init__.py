"""The SDK message, `MessageWithAttachments` (B1.3.3): values, writing, reading as a stream, rules."""
