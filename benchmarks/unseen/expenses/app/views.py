import csv
import logging
from datetime import datetime

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Q
from django.http import FileResponse, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST
from django.views.generic import CreateView, ListView, UpdateView

from expenses.forms import ClaimForm, CommentForm, ItemForm
from expenses.models import Claim, Item

logger = logging.getLogger(__name__)

MOST_PER_CLAIM = 10_000  # euro; more needs a purchase order


def is_accounting(user):
    return user.groups.filter(name="accounting").exists()


def visible_claims(user):
    if is_accounting(user):
        return Claim.objects.all()
    return Claim.objects.filter(Q(owner=user) | Q(manager=user))


def claim_text(claim, request):
    lines = [f"{claim.title}, by {claim.owner} <{claim.owner.email}>", f"IBAN: {claim.iban}", ""]
    for item in claim.items.all():
        lines.append(f"{item.date} {item.description}: {item.amount} {item.currency}")
    lines += [f"Total: {claim.total} EUR", "", request.build_absolute_uri(claim.get_absolute_url())]
    return "\n".join(lines)


class ClaimList(ListView):
    template_name = "expenses/list.html"
    context_object_name = "claims"
    paginate_by = 50

    def get_queryset(self):
        return Claim.objects.filter(owner=self.request.user).prefetch_related("items")


class Inbox(ListView):
    """What waits for the user: claims to approve, and for accounting, to pay."""

    template_name = "expenses/inbox.html"
    context_object_name = "claims"

    def get_queryset(self):
        user = self.request.user
        waiting = Q(manager=user, status=Claim.Status.SUBMITTED)
        if is_accounting(user):
            waiting |= Q(status=Claim.Status.APPROVED)
        return Claim.objects.filter(waiting).select_related("owner", "manager")

    def get_context_data(self, **kwargs):
        context = super().get_context_data(**kwargs)
        context["is_accounting"] = is_accounting(self.request.user)
        context["now"] = timezone.localtime()
        return context


class ClaimCreate(CreateView):
    form_class = ClaimForm
    template_name = "expenses/form.html"
    extra_context = {"heading": "New claim"}

    def form_valid(self, form):
        form.instance.owner = self.request.user
        return super().form_valid(form)


class ClaimUpdate(UpdateView):
    form_class = ClaimForm
    template_name = "expenses/form.html"
    extra_context = {"heading": "Edit claim"}

    def get_queryset(self):
        return Claim.objects.filter(
            owner=self.request.user, status__in=[Claim.Status.DRAFT, Claim.Status.REJECTED]
        )


def detail(request, pk):
    claim = get_object_or_404(visible_claims(request.user), pk=pk)
    accounting = is_accounting(request.user)
    comments = claim.comments.select_related("author")
    if not accounting:
        comments = comments.filter(internal=False)
    context = {
        "claim": claim,
        "comments": comments,
        "comment_form": CommentForm(),
        "item_form": ItemForm(),
        "is_owner": claim.owner == request.user,
        "is_manager": claim.manager == request.user,
        "is_accounting": accounting,
    }
    return render(request, "expenses/detail.html", context)


def claim_data(request, pk):
    """The claim as JSON, for the bookkeeping program and the mobile app."""
    claim = get_object_or_404(visible_claims(request.user), pk=pk)
    data = {"title": claim.title, "status": claim.status, "total": str(claim.total)}
    data["items"] = list(claim.items.values("id", "date", "description", "amount", "currency"))
    data["comments"] = list(claim.comments.values("author__email", "text", "internal"))
    return JsonResponse(data)


@require_POST
def delete(request, pk):
    claim = get_object_or_404(Claim, pk=pk, owner=request.user)
    if not claim.is_open:
        messages.error(request, "Only drafts and rejected claims can be deleted.")
        return redirect(claim)
    claim.delete()
    return redirect("expenses:list")


def item_add(request, pk):
    claim = get_object_or_404(Claim, pk=pk, owner=request.user)
    if claim.status == Claim.Status.PAID:
        messages.error(request, "This claim is paid already.")
        return redirect(claim)
    form = ItemForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        item = form.save(commit=False)
        item.claim = claim
        item.save()
        messages.success(request, "The item was added.")
        return redirect(claim)
    return render(request, "expenses/form.html", {"form": form, "heading": "Add item"})


@require_POST
def item_delete(request, pk, item_pk):
    item = get_object_or_404(Item, pk=item_pk, claim_id=pk, claim__owner=request.user)
    if not item.claim.is_open:
        raise PermissionDenied
    item.delete()
    return redirect("expenses:detail", pk)


def receipt(request, pk, item_pk):
    get_object_or_404(visible_claims(request.user), pk=pk)
    item = get_object_or_404(Item.objects.exclude(receipt=""), pk=item_pk)
    return FileResponse(item.receipt.open("rb"))


@require_POST
def submit(request, pk):
    claim = get_object_or_404(Claim, pk=pk, owner=request.user)
    if not claim.is_open or not claim.items.exists():
        messages.error(request, "Only an open claim with items can be submitted.")
        return redirect(claim)
    if claim.total > MOST_PER_CLAIM:
        messages.error(request, f"A claim is limited to {MOST_PER_CLAIM} EUR.")
        return redirect(claim)
    claim.status = Claim.Status.SUBMITTED
    claim.submitted_at = timezone.now()
    claim.save()
    subject = f"Expenses to approve: {claim.title}"
    send_mail(subject, claim_text(claim, request), None, [claim.manager.email])
    messages.success(request, "Your claim was submitted.")
    return redirect(claim)


@require_POST
def withdraw(request, pk):
    changed = Claim.objects.filter(pk=pk, owner=request.user, status=Claim.Status.SUBMITTED).update(
        status=Claim.Status.DRAFT, submitted_at=None
    )
    if not changed:
        messages.error(request, "This claim cannot be withdrawn.")
    return redirect("expenses:list")


def remind(request, pk):
    claim = get_object_or_404(Claim, pk=pk, owner=request.user)
    if claim.status == Claim.Status.SUBMITTED:
        text = f"{request.user} asks you to look at it.\n\n{claim_text(claim, request)}"
        send_mail(f"Reminder: {claim.title}", text, None, [claim.manager.email])
        messages.success(request, "Your manager was reminded.")
    return redirect(claim)


@require_POST
def decide(request, pk):
    claim = get_object_or_404(Claim, pk=pk, manager=request.user)
    decision = request.POST.get("decision")
    if decision not in Claim.Status.values:
        messages.error(request, "Please approve or reject.")
        return redirect(claim)
    claim.status = decision
    claim.decided_at = timezone.now()
    claim.save()
    reason = request.POST.get("reason", "").strip()
    if reason:
        claim.comments.create(author=request.user, text=reason)
    subject = f"Your expenses were {claim.get_status_display().lower()}"
    text = f"{claim.title}: {claim.total} EUR\n\n{reason}"
    send_mail(subject, text, None, [claim.owner.email])
    return redirect("expenses:inbox")


@require_POST
def pay(request, pk):
    if not is_accounting(request.user):
        raise PermissionDenied
    with transaction.atomic():
        claim = get_object_or_404(Claim.objects.select_for_update(), pk=pk)
        if claim.status != Claim.Status.APPROVED or claim.owner == request.user:
            messages.error(request, "This claim cannot be paid.")
            return redirect(claim)
        mark_paid(claim, request.user)
    messages.success(request, "The claim was marked as paid.")
    return redirect("expenses:inbox")


@require_POST
def pay_selected(request):
    if not is_accounting(request.user):
        raise PermissionDenied
    selected = request.POST.getlist("claim")
    claims = Claim.objects.filter(pk__in=selected).exclude(status=Claim.Status.PAID)
    for claim in claims:
        mark_paid(claim, request.user)
    messages.success(request, f"{len(selected)} claims were marked as paid.")
    return redirect("expenses:inbox")


def mark_paid(claim, user):
    claim.status = Claim.Status.PAID
    claim.paid_at = timezone.now()
    claim.paid_by = user
    claim.save()
    logger.info(
        "claim %s of %s: %s EUR to %s", claim.pk, claim.owner.email, claim.total, claim.iban
    )
    text = f"{claim.title}: {claim.total} EUR are on their way to your account."
    send_mail("Your expenses were paid", text, None, [claim.owner.email])


@require_POST
def comment(request, pk):
    claim = get_object_or_404(visible_claims(request.user), pk=pk)
    form = CommentForm(request.POST)
    if form.is_valid():
        new = form.save(commit=False)
        new.claim = claim
        new.author = request.user
        if not is_accounting(request.user):
            new.internal = False
        new.save()
        people = {claim.owner.email, claim.manager.email} - {request.user.email}
        text = f"{request.user} wrote about {claim.title}:\n\n{new.text}"
        send_mail("A comment on an expense claim", text, None, list(people))
    return redirect(claim)


def totals(request):
    """Sums by month and currency, for the chart of the user's own page."""
    person = request.GET.get("user") or request.user.pk
    items = Item.objects.filter(claim__owner_id=person).exclude(claim__status=Claim.Status.REJECTED)
    months = {}
    for item in items:
        key = item.date.strftime("%Y-%m")
        months[key] = months.get(key, 0) + item.in_euro
    return JsonResponse({"months": {key: str(months[key]) for key in sorted(months)}})


def export(request, year, month):
    if not is_accounting(request.user):
        raise PermissionDenied
    start = timezone.make_aware(datetime(year, month, 1))
    end = timezone.make_aware(datetime(year + month // 12, month % 12 + 1, 1))
    claims = Claim.objects.filter(paid_at__gte=start, paid_at__lt=end)
    response = HttpResponse(content_type="text/csv")
    response["Content-Disposition"] = f"attachment; filename=expenses-{year}-{month}.csv"
    writer = csv.writer(response)
    writer.writerow(["Claim", "Employee", "IBAN", "Title", "Paid", "Total EUR"])
    for claim in claims.select_related("owner").prefetch_related("items"):
        paid = claim.paid_at.date()
        writer.writerow([claim.pk, claim.owner, claim.iban, claim.title, paid, claim.total])
    return response
