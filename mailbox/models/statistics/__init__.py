"""Departments, the sums of each day that their figures are made of, and what messages cost."""

from .department import Department, DepartmentLeader, DepartmentMailbox, MonthlyFigures
from .figures import CounterpartName, DailyCounterpart, DailyFigures, DailyWait, FiguresCount
from .price_list import PriceList

__all__ = [
    "CounterpartName",
    "DailyCounterpart",
    "DailyFigures",
    "DailyWait",
    "Department",
    "DepartmentLeader",
    "DepartmentMailbox",
    "FiguresCount",
    "MonthlyFigures",
    "PriceList",
]
