"""Addresses of the figures, below `administration/`."""

from django.urls import path

from . import views
from .departments.views import costs, departments, figures

urlpatterns = [
    path("statistik", views.overview, name="administration-statistics"),
    path("statistik/fil", views.file, name="administration-statistics-file"),
    path("avdelningsstatistik", figures.overview, name="department-figures"),
    path("avdelningsstatistik/fil", figures.file, name="department-figures-file"),
    path("avdelningsstatistik/motparter", figures.counterparts, name="department-counterparts"),
    path("avdelningsstatistik/motparter/fil", figures.counterparts_file, name="department-counterparts-file"),
    path("avdelningsstatistik/mejl", figures.monthly, name="monthly-figures"),
    path("kostnader", costs.costs, name="department-costs"),
    path("kostnader/fil", costs.costs_file, name="department-costs-file"),
    path("prislistor", costs.price_lists, name="price-lists"),
    path("prislistor/<int:price_list_id>", costs.change_price_list, name="price-list"),
    path("avdelningar", departments.overview, name="departments"),
    path("avdelningar/<int:department_id>", departments.department, name="department"),
    path("avdelningar/<int:department_id>/ta-bort", departments.remove, name="department-remove"),
    path("avdelningar/<int:removed_department_id>/aterstall", departments.restore, name="department-restore"),
    path("avdelningar/<int:department_id>/brevlador", departments.set_mailboxes, name="department-mailboxes"),
    path("avdelningar/<int:department_id>/ledare", departments.add_leader, name="department-leader-add"),
    path("ledare/<int:leader_id>", departments.change_leader, name="department-leader"),
]
