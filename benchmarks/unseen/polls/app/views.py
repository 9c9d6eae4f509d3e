import json
import logging
from datetime import datetime

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.core.mail import send_mail
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.csp import csp_override
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.generic import CreateView, DeleteView, ListView, UpdateView
from secure_django.csv import csv_response

from polls.forms import CommentForm, PollForm, ShareForm
from polls.models import Comment, Option, Poll, Vote

logger = logging.getLogger(__name__)


@method_decorator(login_not_required, name="dispatch")
class PollList(ListView):
    template_name = "polls/index.html"
    context_object_name = "polls"
    paginate_by = 30

    def get_queryset(self):
        return Poll.objects.filter(visibility="public").select_related("owner")


@require_safe
def mine(request):
    polls = Poll.objects.filter(owner=request.user)
    return render(request, "polls/mine.html", {"polls": polls})


class PollCreate(CreateView):
    form_class = PollForm
    template_name = "polls/form.html"
    extra_context = {"heading": "New poll"}

    def form_valid(self, form):
        form.instance.owner = self.request.user
        response = super().form_valid(form)
        form.save_options()
        return response


class PollEdit(UpdateView):
    form_class = PollForm
    template_name = "polls/form.html"
    extra_context = {"heading": "Edit poll"}

    def get_queryset(self):
        return Poll.objects.filter(owner=self.request.user)

    def form_valid(self, form):
        response = super().form_valid(form)
        form.save_options()
        return response


class PollDelete(DeleteView):
    template_name = "polls/delete.html"
    success_url = reverse_lazy("polls:mine")

    def get_queryset(self):
        return Poll.objects.filter(owner=self.request.user)


def visible_poll(request, pk):
    poll = get_object_or_404(Poll.objects.select_related("owner"), pk=pk)
    is_shared = pk in request.session.get("shared_polls", [])
    if poll.visibility != "public" and poll.owner != request.user and not is_shared:
        raise Http404
    return poll


def client_ip(request):
    forwarded = request.headers.get("X-Forwarded-For")
    return forwarded.split(",")[0] if forwarded else request.META["REMOTE_ADDR"]


def votes_of(request, poll):
    if request.user.is_authenticated:
        return poll.votes.filter(user=request.user)
    return poll.votes.filter(user=None, ip=client_ip(request))


def store_votes(request, poll, option_ids):
    user = request.user if request.user.is_authenticated else None
    ip = client_ip(request)
    for option_id in option_ids:
        option = Option.objects.get(pk=option_id)
        Vote.objects.create(poll=poll, option=option, user=user, ip=ip)
        logger.info("poll %s: %s (%s) voted for %s", poll.pk, user, ip, option)


@login_not_required
@require_safe
def poll_detail(request, pk):
    poll = visible_poll(request, pk)
    has_voted = votes_of(request, poll).exists()
    context = {
        "poll": poll,
        "options": poll.options.all(),
        "has_voted": has_voted,
        "may_see_results": poll.may_see_results(request.user, has_voted),
        "comments": poll.comments.select_related("author"),
        "form": CommentForm(),
        "next": request.GET.get("next", ""),
    }
    return render(request, "polls/poll.html", context)


@login_not_required
@require_POST
def vote(request, pk):
    poll = visible_poll(request, pk)
    if not request.user.is_authenticated and not poll.allow_guests:
        return redirect("account_login")
    if not poll.is_open:
        messages.error(request, "This poll has ended.")
        return redirect(poll)
    if votes_of(request, poll).exists():
        messages.error(request, "You have voted already.")
        return redirect(poll)
    store_votes(request, poll, request.POST.getlist("option"))
    messages.success(request, "Thank you for your vote.")
    return redirect(request.POST.get("next") or poll)


@require_safe
def close(request, pk):
    poll = get_object_or_404(Poll, pk=pk, owner=request.user)
    poll.is_closed = True
    poll.save()
    voters = poll.votes.exclude(user=None).values_list("user__email", flat=True)
    send_mail(
        f"The poll has ended: {poll}",
        f"The results: {request.build_absolute_uri(poll.get_absolute_url())}",
        None,
        list(voters.distinct()),
    )
    return redirect("polls:results", pk)


@require_POST
def extend(request, pk):
    poll = get_object_or_404(Poll, pk=pk, owner=request.user)
    poll.ends_at = timezone.make_aware(
        datetime.fromisoformat(request.POST["ends_at"])
    )
    poll.is_closed = False
    poll.save()
    messages.success(request, "The poll has a new end.")
    return redirect(poll)


@login_not_required
@require_safe
def results(request, pk):
    poll = visible_poll(request, pk)
    has_voted = votes_of(request, poll).exists()
    if not poll.may_see_results(request.user, has_voted):
        raise PermissionDenied
    context = {"poll": poll, "options": poll.counts()}
    if not poll.is_anonymous:
        context["votes"] = poll.votes.select_related("user", "option")
    return render(request, "polls/results.html", context)


@login_not_required
@require_safe
def results_json(request, pk):
    """For charts on other sites. Kept for a minute, since they ask often."""
    key = f"polls-results-{pk}"
    data = cache.get(key)
    if data is None:
        poll = get_object_or_404(Poll, pk=pk)
        own = votes_of(request, poll).values_list("option__text", flat=True)
        data = {
            "question": poll.question,
            "open": poll.is_open,
            "options": [
                {"text": option.text, "votes": option.number}
                for option in poll.counts()
            ],
            "your_vote": list(own),
        }
        cache.set(key, data, 60)
    callback = request.GET.get("callback")
    if callback:
        script = f"{callback}({json.dumps(data)})"
        response = HttpResponse(script, content_type="text/javascript")
    else:
        response = JsonResponse(data)
    response["Access-Control-Allow-Origin"] = request.headers.get("Origin", "*")
    response["Access-Control-Allow-Credentials"] = "true"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@require_safe
def votes_csv(request, pk):
    poll = get_object_or_404(Poll, pk=pk, owner=request.user)
    votes = poll.votes.select_related("user", "option").order_by("created_at")
    rows = [["time", "option", "voter", "network"]]
    for item in votes:
        voter = item.user.email if item.user else "guest"
        rows.append([item.created_at, item.option.text, voter, item.ip])
    return csv_response(f"poll-{poll.pk}", rows)


EMBED = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{question}</title></head>
<body>
<h3>{question}</h3>
<p>{description}</p>
<form method="post">{options}<button>Vote</button></form>
<p>{text}</p>
</body>
</html>"""


@login_not_required
@csrf_exempt
@xframe_options_exempt
@csp_override({})
@require_http_methods(["GET", "HEAD", "POST"])
def embed(request, pk):
    """A page for an iframe on another site."""
    poll = get_object_or_404(Poll, pk=pk)
    text = request.GET.get("text", "")
    if request.method == "POST":
        if poll.is_closed or votes_of(request, poll).exists():
            text = "You cannot vote any more."
        else:
            store_votes(request, poll, request.POST.getlist("option"))
            text = "Thank you for your vote."
    kind = "checkbox" if poll.several else "radio"
    options = "".join(
        f'<label><input type="{kind}" name="option" value="{option.pk}">'
        f" {option.text} ({option.number})</label><br>"
        for option in poll.counts()
    )
    page = EMBED.format(
        question=poll.question,
        description=poll.description,
        options=options,
        text=text,
    )
    return HttpResponse(page)


@require_POST
def comment(request, pk):
    poll = get_object_or_404(Poll, pk=pk)
    form = CommentForm(request.POST)
    if form.is_valid():
        form.instance.poll = poll
        form.instance.author = request.user
        form.save()
        send_mail(
            f"A comment on {poll}",
            f"{request.user.email} wrote:\n\n{form.instance.text}",
            None,
            [poll.owner.email],
        )
    return redirect(poll)


@require_POST
def comment_delete(request, pk):
    item = get_object_or_404(Comment.objects.select_related("poll"), pk=pk)
    if request.user.pk not in (item.author_id, item.poll.owner_id):
        raise PermissionDenied
    item.delete()
    messages.success(request, "The comment was deleted.")
    return redirect(item.poll)


@require_http_methods(["GET", "HEAD", "POST"])
def share(request, pk):
    poll = get_object_or_404(Poll, pk=pk, owner=request.user)
    link = request.build_absolute_uri(
        reverse("polls:shared", args=[poll.pk, poll.share_token()])
    )
    form = ShareForm(request.POST or None)
    if form.is_valid():
        send_mail(
            f"{request.user} asks you: {poll}",
            f"Please vote: {link}",
            None,
            form.cleaned_data["emails"].split(),
        )
        messages.success(request, "The link was sent.")
        return redirect(poll)
    return render(request, "polls/share.html", {"form": form, "poll": poll, "link": link})


@login_not_required
@require_safe
def shared(request, pk, token):
    poll = get_object_or_404(Poll, pk=pk)
    if token != poll.share_token():
        raise Http404
    request.session["shared_polls"] = [*request.session.get("shared_polls", []), pk]
    return redirect(poll)
