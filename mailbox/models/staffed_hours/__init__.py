"""Staffed hours, and what is counted in them or told outside them: time limits, people on duty."""

from .duty import DutyAlert, DutyList, DutyNotice, DutyPerson
from .hours import StaffedHours, StaffedHoursException
from .time_limit import ServiceLevels, TimeLimit

__all__ = [
    "DutyAlert",
    "DutyList",
    "DutyNotice",
    "DutyPerson",
    "ServiceLevels",
    "StaffedHours",
    "StaffedHoursException",
    "TimeLimit",
]
