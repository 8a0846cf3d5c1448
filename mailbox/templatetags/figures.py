"""Figures of departments in words, for templates."""

from django import template

from mailbox.statistics.departments.in_words import bound_in_words, change_in_words

register = template.Library()
register.filter("bound_in_words", bound_in_words)
register.filter("change_from", change_in_words)
