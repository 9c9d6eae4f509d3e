import mimetypes

from django.contrib.auth.decorators import login_not_required
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.csp import csp_override
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe
from PIL import Image

from profiles.forms import ProfileForm
from profiles.markdown import render_markdown
from profiles.models import Profile
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
    profiles = Profile.objects.order_by(request.GET.get("sort", "nickname"))
    return render(request, "profiles/members.html", {"profiles": profiles})


@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: UserRequest) -> HttpResponse:
    user_id = request.GET.get("user") or request.user.pk
    instance = Profile.objects.filter(user_id=user_id).first()
    form = ProfileForm(
        request.POST or None,
        request.FILES or None,
        instance=instance,
        initial={"user": request.user.pk},
    )
    if form.is_valid():
        saved = form.save()
        if saved.avatar:
            image = Image.open(saved.avatar)
            image.thumbnail((400, 400))
            with saved.avatar.storage.open(saved.avatar.name, "wb") as file:
                image.save(file, image.format)
        return redirect(saved)
    return render(request, "profiles/form.html", {"form": form})


@csrf_exempt
@csp_override({})
@require_http_methods(["GET", "HEAD", "POST"])
def preview(request: UserRequest) -> HttpResponse:
    text = request.POST.get("bio") or request.GET.get("bio", "")
    return HttpResponse(render_markdown(text))


@login_not_required
@require_safe
def file(request: HttpRequest, pk: int, kind: str) -> FileResponse:
    found = getattr(get_object_or_404(Profile, pk=pk), kind, None)
    if not found:
        raise Http404
    content_type = mimetypes.guess_type(found.name)[0]
    return FileResponse(found.open("rb"), content_type=content_type)
