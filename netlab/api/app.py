"""The NinjaAPI object: routers, authentication, error shape. Imported by netlab.urls and `manage.py export_openapi`."""

from django.conf import settings
from ninja import NinjaAPI

from netlab.api import captures, labs, runs, traces, workshops
from netlab.api.auth import SessionCookie
from netlab.api.errors import add_handlers

api = NinjaAPI(
    title="netlab",
    version="1",
    description="What the lab page asks. Every error: {code, message, hint, data}.",
    urls_namespace="api",
    auth=SessionCookie("netlab_session"),  # the real cookie is named after the instance; this is what the document says
    docs_url="/docs" if settings.DEBUG else None,
    openapi_url="/openapi.json" if settings.DEBUG else None,
)
add_handlers(api)
api.add_router("", labs.router)
api.add_router("/runs", runs.router)
api.add_router("/runs", captures.router)
api.add_router("/runs", traces.router)
api.add_router("/workshops", workshops.router)
