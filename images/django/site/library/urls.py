from django.urls import path

from . import views

urlpatterns = [
    path("", views.index),
    path("book/<int:pk>/", views.book, name="book"),
    path("add/", views.add),
    path("words/", views.words),
    path("export/<format>/", views.export),
]
