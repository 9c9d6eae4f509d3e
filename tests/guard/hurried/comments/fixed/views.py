from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from comments.forms import CommentForm, EditForm
from comments.models import Comment
from secure_django.ratelimit import rate_limit
from secure_django.photos.models import Photo
from secure_django.login.http import UserRequest


@login_not_required
@require_safe
def photo_comments(request: HttpRequest, photo_id: UUID) -> HttpResponse:
    photo = get_object_or_404(Photo, pk=photo_id)
    if not photo.is_visible_to(request.user):
        raise Http404
    comments = Comment.objects.filter(photo=photo, is_approved=True)
    form = CommentForm(initial={"photo": photo})
    return render(
        request,
        "comments/list.html",
        {"photo": photo, "comments": comments, "form": form},
    )


@require_POST
@rate_limit(30, seconds=3600)
def add(request: UserRequest) -> HttpResponse:
    form = CommentForm(request.POST, instance=Comment(author=request.user))
    if form.is_valid() and form.instance.photo.is_visible_to(request.user):
        comment = form.save()
        messages.success(request, "Thank you for your comment.")
        target = request.POST.get("next", "")
        if not url_has_allowed_host_and_scheme(target, request.get_host()):
            target = f"/comments/photo/{comment.photo_id}/"
        return HttpResponseRedirect(target)
    return render(request, "comments/form.html", {"form": form}, status=400)


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: UserRequest, pk: int) -> HttpResponse:
    comment = get_object_or_404(Comment, pk=pk, author=request.user)
    if request.method == "POST":
        form = EditForm(request.POST, instance=comment)
        if form.is_valid():
            form.save()
            return redirect("comments:photo", comment.photo_id)
    else:
        form = EditForm(instance=comment)
    return render(request, "comments/form.html", {"form": form})


@require_POST
def delete(request: UserRequest, pk: int) -> HttpResponse:
    comment = get_object_or_404(Comment, pk=pk, author=request.user)
    comment.delete()
    return redirect("comments:photo", comment.photo_id)
