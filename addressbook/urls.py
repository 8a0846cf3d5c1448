from django.urls import path

from . import views

app_name = "addressbook"
urlpatterns = [
    path("adressbok/", views.browse, name="browse"),
    path("adressbok/sok", views.find, name="search"),
]
