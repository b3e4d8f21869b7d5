"""Django's SQLite backend with a fair queue of writers (docs/decisions/0002). Named in settings; knows no model."""
