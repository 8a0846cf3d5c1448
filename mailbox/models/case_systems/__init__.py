"""Case systems and e-archives that conversations are handed over to, and each time that was done."""

from .case_delivery import CaseDelivery
from .case_system import CaseSystem, CaseSystemMailbox

__all__ = ["CaseDelivery", "CaseSystem", "CaseSystemMailbox"]
