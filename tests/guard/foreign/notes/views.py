from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from notes.models import Note


@require_GET
@login_required
def index(request: HttpRequest) -> HttpResponse:
    notes = Note.objects.filter(author=request.user)[:20]
    return render(request, "notes/index.html", {"notes": notes})


@require_GET
@login_required
def show(request: HttpRequest, pk: int) -> HttpResponse:
    note = get_object_or_404(Note, pk=pk)
    return render(request, "notes/index.html", {"notes": [note]})


@require_POST
@login_required
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    get_object_or_404(Note, pk=pk).delete()
    return redirect("/notes/")
