"""Automatic answers: what mailboxes want to be answered, each answer, and when an organisation's stopped."""

from .automatic_answer import AutomaticAnswer, AutomaticAnswerGuard
from .automatic_answer_setting import AutomaticAnswerSetting

__all__ = ["AutomaticAnswer", "AutomaticAnswerGuard", "AutomaticAnswerSetting"]
