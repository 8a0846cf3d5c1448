from django.urls import path

from . import views

urlpatterns = [path("as4", views.as4, name="as4")]
