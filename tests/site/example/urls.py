from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import include, path
from django.views.decorators.http import require_http_methods, require_safe

from config.urls import handler400, handler403, handler404, handler500
from secure_django.photos.forms import PhotoModelForm, render_form
from example.models import Thing
from secure_django.login.http import UserRequest

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]


class ThingForm(PhotoModelForm):
    most_per_owner = 1000

    class Meta:
        model = Thing
        fields = ("title", "image", "portrait", "plan", "letter")


class FileForm(forms.Form):
    file = forms.FileField()


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: UserRequest, pk: int | None = None) -> HttpResponse:
    thing = (
        Thing.objects.get(pk=pk, owner=request.user)
        if pk
        else Thing(owner=request.user)
    )
    form = ThingForm(
        request.POST or None, request.FILES or None, instance=thing, owner=request.user
    )
    if form.is_valid():
        form.save()
        return redirect("home")
    return render_form(request, "example/form.html", form)


@require_http_methods(["GET", "HEAD", "POST"])
def file(request: UserRequest) -> HttpResponse:
    form = FileForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        return HttpResponse(form.cleaned_data["file"].read())
    return render_form(request, "example/form.html", form)


@require_safe
def things(request: UserRequest) -> HttpResponse:
    related = Thing.objects.select_related("image", "portrait", "plan", "letter")
    return render(request, "example/things.html", {"things": related})


urlpatterns = [
    path("things/", things),
    path("things/add/", edit),
    path("things/<int:pk>/", edit, name="thing"),
    path("file/", file),
    path("", include("config.urls")),
]
