import logging
import mimetypes

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.mail import send_mail
from django.db.models import Count, F, Q
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.utils.cache import patch_cache_control
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_POST, require_safe
from django.views.generic import CreateView, ListView, UpdateView

from snippets.forms import ImportForm, ShareForm, SnippetForm
from snippets.hooks import call_webhook, fetch_code
from snippets.models import Comment, Share, Snippet

logger = logging.getLogger(__name__)


@method_decorator(login_not_required, name="dispatch")
class PublicList(ListView):
    template_name = "snippets/list.html"
    context_object_name = "snippets"
    paginate_by = 25
    extra_context = {"heading": "Snippets"}

    def get_queryset(self):
        public = Snippet.objects.filter(visibility=Snippet.Visibility.PUBLIC)
        return public.select_related("owner").order_by("-updated_at")


class MyList(ListView):
    template_name = "snippets/list.html"
    context_object_name = "snippets"
    paginate_by = 25
    extra_context = {"heading": "My snippets"}

    def get_queryset(self):
        own = Snippet.objects.filter(owner=self.request.user)
        return own.select_related("owner").order_by("-updated_at")


class SnippetCreate(CreateView):
    form_class = SnippetForm
    template_name = "snippets/form.html"
    extra_context = {"heading": "New snippet"}

    def form_valid(self, form):
        form.instance.owner = self.request.user
        response = super().form_valid(form)
        call_webhook(self.object, "created")
        return response


class SnippetUpdate(UpdateView):
    form_class = SnippetForm
    template_name = "snippets/form.html"
    extra_context = {"heading": "Edit snippet"}

    def get_queryset(self):
        return Snippet.objects.filter(owner=self.request.user)

    def form_valid(self, form):
        response = super().form_valid(form)
        call_webhook(self.object, "changed")
        return response


@login_not_required
@require_safe
def detail(request, slug):
    snippet = get_object_or_404(Snippet.objects.open_to(request.user), slug=slug)
    Snippet.objects.filter(pk=snippet.pk).update(views=F("views") + 1)
    is_owner = snippet.owner_id == request.user.pk
    context = {
        "snippet": snippet,
        "is_owner": is_owner,
        "comments": snippet.comments.select_related("author").order_by("created_at"),
        "shares": snippet.shares.all() if is_owner else [],
        "share_form": ShareForm(),
    }
    return render(request, "snippets/detail.html", context)


@login_not_required
@require_safe
def raw(request, slug):
    snippet = get_object_or_404(Snippet, slug=slug)
    shared = snippet.shares.filter(token=request.GET.get("share", "")).exists()
    if snippet.visibility == "private" and snippet.owner_id != request.user.pk and not shared:
        raise Http404
    kind = mimetypes.guess_type(snippet.title)[0] or "text/plain"
    response = HttpResponse(snippet.code, content_type=f"{kind}; charset=utf-8")
    if "download" in request.GET:
        response["Content-Disposition"] = f'attachment; filename="{snippet.title}"'
    patch_cache_control(response, public=True, max_age=3600)
    return response


@login_not_required
@require_safe
def data(request, slug):
    """A snippet for editor plugins."""
    snippet = get_object_or_404(Snippet.objects.open_to(request.user), slug=slug)
    origin = snippet.forked_from
    comments = snippet.comments.values("author__email", "text", "created_at")
    return JsonResponse(
        {
            "title": snippet.title,
            "code": snippet.code,
            "owner": snippet.owner.email,
            "webhook": snippet.webhook_url,
            "forked_from": origin and {"slug": origin.slug, "title": origin.title},
            "comments": list(comments),
        }
    )


@login_not_required
@require_safe
def search(request):
    q = request.GET.get("q", "")
    found = Snippet.objects.exclude(visibility=Snippet.Visibility.PRIVATE)
    if request.GET.get("regex"):
        found = found.filter(code__iregex=q)
    else:
        found = found.filter(Q(title__icontains=q) | Q(code__icontains=q))
    found = found.annotate(number=Count("stars")).order_by("-number")
    results = [(snippet, excerpt(snippet.code, q)) for snippet in found[:50]] if q else []
    heading = format_html("Results for <em>{}</em>", q)
    context = {"results": results, "heading": heading, "q": q}
    return render(request, "snippets/search.html", context)


def excerpt(code, q):
    """The text around the first hit, with the hit marked."""
    position = max(code.lower().find(q.lower()), 0)
    text = code[max(position - 60, 0) : position + 120]
    return mark_safe(text.replace(q, f"<mark>{q}</mark>"))


@require_POST
def fork(request, pk):
    original = get_object_or_404(Snippet, pk=pk)
    copy = Snippet.objects.create(
        owner=request.user,
        title=original.title,
        description=original.description,
        code=original.code,
        forked_from=original,
    )
    return redirect(copy)


def delete(request, slug):
    snippet = get_object_or_404(Snippet, slug=slug, owner=request.user)
    call_webhook(snippet, "deleted")
    snippet.delete()
    messages.success(request, "The snippet was deleted.")
    return redirect(reverse_lazy("snippets:mine"))


@require_POST
def star(request, slug):
    snippet = get_object_or_404(Snippet.objects.open_to(request.user), slug=slug)
    if snippet.stars.filter(pk=request.user.pk).exists():
        snippet.stars.remove(request.user)
    else:
        snippet.stars.add(request.user)
    return redirect(request.POST.get("next") or snippet)


@require_POST
def comment(request, slug):
    snippet = get_object_or_404(Snippet.objects.open_to(request.user), slug=slug)
    text = request.POST.get("text", "").strip()
    if text:
        snippet.comments.create(author=request.user, text=text)
        people = {c.author.email for c in snippet.comments.all()} | {snippet.owner.email}
        body = f"{request.user} ({request.user.email}) wrote:\n\n{text}\n\n{snippet.code[:500]}"
        send_mail(f"A comment on {snippet.title}", body, None, list(people))
    return redirect(snippet)


@require_POST
def comment_delete(request, pk):
    mine = Q(author=request.user) | Q(snippet__owner=request.user)
    found = get_object_or_404(Comment.objects.filter(mine), pk=pk)
    found.delete()
    return redirect(found.snippet)


def import_url(request):
    form = ImportForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            title, code = fetch_code(form.cleaned_data["url"])
        except Exception as error:
            form.add_error("url", f"The import failed: {error}")
        else:
            snippet = Snippet.objects.create(
                owner=request.user, title=title[:120], code=code, visibility="private"
            )
            return redirect(snippet)
    return render(request, "snippets/form.html", {"form": form, "heading": "Import from a URL"})


@require_POST
def share(request, slug):
    snippet = get_object_or_404(Snippet, slug=slug, owner=request.user)
    form = ShareForm(request.POST)
    if form.is_valid():
        form.instance.snippet = snippet
        form.save()
        messages.success(request, "The link was made.")
    else:
        messages.error(request, "Please check the expiry.")
    return redirect(snippet)


@require_POST
def share_delete(request, pk):
    found = get_object_or_404(Share, pk=pk)
    found.delete()
    messages.success(request, "The link works no longer.")
    return redirect(found.snippet)


@login_not_required
def shared(request, token):
    found = get_object_or_404(Share.objects.select_related("snippet"), token=token)
    unlocked = request.session.get("shares", [])
    if found.pk not in unlocked:
        if found.is_over:
            raise Http404
        if found.password:
            given = request.POST.get("password", "")
            if given != found.password:
                if given:
                    logger.info("share %s: wrong password %r", token, given)
                    messages.error(request, "This is not the password.")
                return render(request, "snippets/password.html")
        request.session["shares"] = [*unlocked, found.pk]
        found.views += 1
        found.save()
    return render(request, "snippets/shared.html", {"snippet": found.snippet, "share": found})
