from datetime import timedelta
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_not_required
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.core.mail import send_mail
from django.db.models import Count
from django.db.models.functions import TruncDate
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.http import require_POST, require_safe
from django.views.generic import ListView, UpdateView

from apikeys.forms import KeyForm, ProjectForm
from apikeys.models import ApiKey, Call, Member, Project

MOST_KEYS = 5
COLORS = {"succeeded": "#2e7d32", "failed": "#c62828", "running": "#1565c0"}


def get_project(request, slug, *roles):
    project = get_object_or_404(Project, slug=slug, members__user=request.user)
    if roles and not project.members.filter(user=request.user, role__in=roles).exists():
        raise PermissionDenied
    return project


def projects(request):
    form = ProjectForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        project = form.save(commit=False)
        project.owner = request.user
        project.slug = slugify(project.name)
        project.save()
        project.members.create(user=request.user, role=Member.Role.ADMIN)
        return redirect(project)
    own = Project.objects.filter(members__user=request.user).order_by("name")
    return render(request, "apikeys/projects.html", {"projects": own, "form": form})


@require_safe
def project(request, slug):
    project = get_project(request, slug)
    context = {
        "project": project,
        "keys": project.keys.select_related("created_by").order_by("-created_at"),
        "members": project.members.select_related("user"),
        "deployments": project.deployments.order_by("-created_at")[:20],
        "roles": Member.Role.choices,
        "role": project.members.get(user=request.user).role,
        "created": request.GET.get("created"),
    }
    return render(request, "apikeys/project.html", context)


class ProjectSettings(UpdateView):
    form_class = ProjectForm
    template_name = "apikeys/form.html"
    extra_context = {"heading": "Settings"}

    def get_queryset(self):
        return Project.objects.filter(owner=self.request.user)


@require_POST
def project_delete(request, slug):
    get_object_or_404(Project, slug=slug, owner=request.user).delete()
    return redirect("apikeys:projects")


def show_new_key(project, raw):
    return redirect(f"{project.get_absolute_url()}?{urlencode({'created': raw})}")


def key_new(request, slug):
    project = get_project(request, slug)
    form = KeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if project.keys.filter(revoked_at=None).count() >= MOST_KEYS:
            messages.error(request, f"A project can have {MOST_KEYS} keys. Revoke one first.")
            return redirect(project)
        key, raw = ApiKey.make(
            project=project,
            created_by=request.user,
            name=form.cleaned_data["name"],
            scopes=",".join(form.cleaned_data["scopes"]),
            expires_at=form.expires_at,
        )
        text = f"{request.user} made the key {key.name} ({key.prefix}…), scopes: {key.scopes}."
        send_mail(f"A new API key for {project}", text, None, [project.owner.email])
        return show_new_key(project, raw)
    return render(request, "apikeys/form.html", {"form": form, "heading": "New API key"})


@require_POST
def key_rotate(request, pk):
    """Make a new key like the old one, which works for another day."""
    old = get_object_or_404(ApiKey, pk=pk, project__members__user=request.user)
    key, raw = ApiKey.make(
        project=old.project, created_by=request.user, name=old.name, scopes=old.scopes
    )
    old.expires_at = timezone.now() + timedelta(days=1)
    old.save()
    return show_new_key(key.project, raw)


@require_POST
def key_revoke(request, pk):
    key = get_object_or_404(ApiKey, pk=pk)
    get_project(request, key.project.slug, "developer", "admin")
    if key.revoked_at is None:
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])
    return redirect(key.project)


class UsageView(ListView):
    template_name = "apikeys/usage.html"
    context_object_name = "calls"
    paginate_by = 100

    def get_queryset(self):
        project = get_project(self.request, self.kwargs["slug"])
        self.extra_context = {"project": project, "keys": project.keys.all()}
        return Call.objects.filter(key__project=project).select_related("key").order_by("-at")


@require_safe
def usage_data(request):
    """Calls per day and address, also for dashboards on other sites of our users."""
    calls = Call.objects.filter(key_id=request.GET["key"])
    rows = calls.annotate(day=TruncDate("at")).values("day", "ip").annotate(number=Count("pk"))
    response = JsonResponse({"rows": list(rows.order_by("day"))})
    response["Access-Control-Allow-Origin"] = request.headers.get("Origin", "*")
    response["Access-Control-Allow-Credentials"] = "true"
    return response


@require_POST
def invite(request, slug):
    project = get_project(request, slug, "developer", "admin")
    email = request.POST.get("email", "").strip().lower()
    role = request.POST.get("role", Member.Role.VIEWER)
    if not get_user_model().objects.filter(email=email).exists():
        messages.error(request, f"There is no account with the email {email}.")
        return redirect(project)
    token = signing.dumps({"project": project.pk, "role": role})
    url = request.build_absolute_uri(reverse("apikeys:join", args=[token]))
    text = f"{request.user} invites you to {project}:\n\n{url}"
    send_mail(f"Join {project}", text, None, [email])
    messages.success(request, "The invitation was sent.")
    return redirect(project)


def join(request, token):
    try:
        data = signing.loads(token)
    except signing.BadSignature:
        raise Http404 from None
    project = get_object_or_404(Project, pk=data["project"])
    Member.objects.update_or_create(
        project=project, user=request.user, defaults={"role": data["role"]}
    )
    return redirect(project)


@require_POST
def member_remove(request, slug, pk):
    project = get_project(request, slug, "admin")
    get_object_or_404(project.members.exclude(user=project.owner), pk=pk).delete()
    return redirect(project)


@login_not_required
@require_safe
def badge(request, slug):
    project = get_object_or_404(Project, slug=slug, public=True)
    newest = project.deployments.order_by("-created_at").first()
    status = newest.status if newest else "unknown"
    label = request.GET.get("label", "deploy")
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="180" height="20" font-size="11">'
        '<rect width="90" height="20" fill="#555"/>'
        f'<rect x="90" width="90" height="20" fill="{COLORS.get(status, "#777")}"/>'
        f'<text x="8" y="14" fill="#fff">{label}</text>'
        f'<text x="98" y="14" fill="#fff">{status}</text></svg>'
    )
    return HttpResponse(svg, content_type="image/svg+xml")
