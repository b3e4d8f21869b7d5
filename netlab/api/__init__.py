"""REST under /api/v1: django-ninja routers that translate between HTTP and actions. One error shape for everything."""
