from django.contrib.auth.decorators import login_not_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from secure_django.ratelimit import rate_limit
from profiles.forms import ProfileForm
from profiles.markdown import render_markdown
from profiles.models import Profile
from secure_django.photos.forms import render_form
from secure_django.login.http import UserRequest


@login_not_required
@require_safe
def profile(request: HttpRequest, nickname: str) -> HttpResponse:
    found = get_object_or_404(Profile, nickname=nickname)
    context = {"profile": found, "bio": render_markdown(found.bio)}
    return render(request, "profiles/profile.html", context)


@login_not_required
@require_safe
def members(request: HttpRequest) -> HttpResponse:
    sort = request.GET.get("sort", "")
    order = sort if sort == "-nickname" else "nickname"
    found = Profile.objects.order_by(order).select_related("user")
    found = found.prefetch_related("user__photos")
    profiles = Paginator(found, 24).get_page(request.GET.get("page"))
    return render(request, "profiles/members.html", {"profiles": profiles})


@require_http_methods(["GET", "HEAD", "POST"])
@rate_limit(30, seconds=3600)
def edit(request: UserRequest) -> HttpResponse:
    instance = Profile.objects.filter(user=request.user).first()
    instance = instance or Profile(user=request.user)
    form = ProfileForm(
        request.POST or None,
        request.FILES or None,
        instance=instance,
        owner=request.user,
    )
    if form.is_valid():
        form.save()
        return redirect(instance)
    return render_form(request, "profiles/form.html", form)


@require_http_methods(["GET", "HEAD", "POST"])
def preview(request: UserRequest) -> HttpResponse:
    text = request.POST.get("bio") or request.GET.get("bio", "")
    return render(request, "profiles/preview.html", {"bio": render_markdown(text)})
