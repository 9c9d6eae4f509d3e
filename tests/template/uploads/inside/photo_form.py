"""Copied into a generated project: an app's form with two photos, a file and a text."""

# Imports are those of the generated project.
# mypy: ignore-errors
# ruff: noqa: D102, EM101, TRY003

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import redirect
from django.template import engines

from secure_django.login.http import UserRequest
from secure_django.photos.form_fields import PhotoInput
from secure_django.photos.models import Photo

PAGE = """
{% extends "base.html" %}
{% block title %}Workshop{% endblock %}
{% block content %}
<div class="narrow">
  <h1>Workshop</h1>
  <form method="post" enctype="multipart/form-data">{% csrf_token %}{{ form }}
    <p><button>Save</button> <button name="draft" value="1">Save as a draft</button></p>
  </form>
</div>
{{ form.media }}
{% endblock %}
"""


class PhotoField(forms.FileField):
    """Take a file whose content begins as that of a JPEG."""

    widget = PhotoInput({"accept": "image/jpeg"})

    def clean(self, data: object, initial: object = None) -> object:
        file = super().clean(data, initial)
        if (
            file
            and file is not initial
            and not file.read(3).startswith(b"\xff\xd8\xff")
        ):
            raise ValidationError("No JPEG.")
        return file


class WorkshopForm(forms.Form):
    """A form that gets by without names that upload.js knows."""

    action = forms.CharField(max_length=20)
    cover = PhotoField()
    plan = forms.FileField()
    portrait = PhotoField(required=False)


def workshop(request: UserRequest) -> HttpResponse:
    """Show the owner's newest photo as the present portrait."""
    present = Photo.objects.filter(owner=request.user).order_by("-created_at").first()
    form = WorkshopForm(
        request.POST or None, request.FILES or None, initial={"portrait": present}
    )
    if form.is_valid():
        answers = [
            getattr(form.cleaned_data[name], "name", form.cleaned_data[name])
            for name in form.fields
        ]
        messages.success(request, f"Saved: {answers} {request.POST.get('draft')}")
        return redirect(request.path)
    return HttpResponse(
        engines["django"].from_string(PAGE).render({"form": form}, request)
    )
