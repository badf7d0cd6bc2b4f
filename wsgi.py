"""The WSGI entry point: `gunicorn -c gunicorn.conf.py wsgi:app`, or `flask --app wsgi …`."""

from llm_api.app import create_app
from llm_api.settings.settings import Settings

app = create_app(Settings.from_env())
