"""Copied into a generated project: one page for all views."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: ANN001, ANN002, ANN201, INP001

from django.http import HttpResponse
from django.template import engines

PAGE = """{% for text in texts %}<p>{{ text }}</p>{% endfor %}
{% if form %}<form method="post">{% csrf_token %}{{ form }}</form>{% endif %}"""


def page(request, *texts, form=None):
    template = engines["django"].from_string(PAGE)
    return HttpResponse(template.render({"texts": texts, "form": form}, request))
