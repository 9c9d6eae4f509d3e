from django.contrib.auth.decorators import login_required
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from .models import Note


@require_safe
@login_required
def index(request):
    notes = Note.objects.filter(author=request.user)[:20]
    return render(request, "notes/index.html", {"notes": notes})


@require_safe
@login_required
def show(request, pk):
    note = get_object_or_404(Note, pk=pk)
    return render(request, "notes/index.html", {"notes": [note]})
