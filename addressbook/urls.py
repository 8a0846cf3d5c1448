from django.urls import path

from . import views

app_name = "addressbook"
urlpatterns = [
    path("adressbok/", views.browse, name="browse"),
    path("adressbok/kategori/<int:category_id>/", views.category, name="category"),
    path("adressbok/organisation/<int:organisation_id>/", views.organisation, name="organisation"),
    path("adressbok/favorit/<int:function_id>", views.favourite, name="favourite"),
    path("adressbok/sok", views.find, name="search"),
]
