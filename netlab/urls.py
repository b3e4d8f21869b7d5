"""The URL table: REST under /api/v1/, everything else is pages. Wiring only."""

from django.urls import include, path

from netlab.api.app import api

urlpatterns = [
    path("api/v1/", api.urls),
    path("", include("netlab.pages.urls")),
]
handler400 = "netlab.pages.errors.bad_request"
handler403 = "netlab.pages.errors.forbidden"
handler404 = "netlab.pages.errors.not_found"
handler500 = "netlab.pages.errors.bug"
