from django.contrib import admin
from django.contrib.sitemaps.views import sitemap
from django.urls import include, path
from django.views.i18n import JavaScriptCatalog
from library.sitemaps import Books

urlpatterns = [
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("accounts/", include("django.contrib.auth.urls")),
    path("catalog.js", JavaScriptCatalog.as_view()),
    path("sitemap.xml", sitemap, {"sitemaps": {"books": Books}}, name="sitemap"),
    path("", include("library.urls")),
]
