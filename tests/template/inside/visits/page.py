"""Copied into a generated project: one page for all views."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN002, ANN201, INP001

from django.http import HttpResponse
from django.template import engines

PAGE = """{% for text in texts %}<p>{{ text }}</p>{% endfor %}
{% if search %}<form action="/visits/results/">{{ search }}</form>{% endif %}
{% if form %}<form method="post">{% csrf_token %}{{ form }}</form>{% endif %}"""


def page(request, *texts, form=None, search=None):
    template = engines["django"].from_string(PAGE)
    context = {"texts": texts, "form": form, "search": search}
    return HttpResponse(template.render(context, request))
