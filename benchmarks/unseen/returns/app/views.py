import csv
import json
import logging
from datetime import timedelta

from django.contrib import messages
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import login_not_required, login_required
from django.core.exceptions import PermissionDenied
from django.core.mail import send_mail
from django.db import transaction
from django.http import FileResponse, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe
from django.views.generic import CreateView, ListView, UpdateView

from returns.forms import DecisionForm, DocumentForm, IbanForm, ReturnForm
from returns.models import Document, Order, Return

logger = logging.getLogger(__name__)
RETURN_DAYS = 30


def tell_customer(request, ret, title, text):
    url = request.build_absolute_uri(reverse("returns:track", args=[ret.token]))
    body = (
        f"Hello {ret.account_holder},\n\n{text}\n\n"
        f"Order: {ret.order.number}\nAmount: {ret.amount} EUR\nIBAN: {ret.iban}\n\n"
        f"Follow your return: {url}\nCancel it with one click: {url}cancel/\n"
    )
    send_mail(title, body, None, [ret.customer.email])
    logger.info("mail %r to %s, IBAN %s", title, ret.customer.email, ret.iban)


def visible_return(request, pk):
    """The return, for its customer and for staff."""
    ret = get_object_or_404(Return.objects.select_related("order", "customer"), pk=pk)
    if ret.customer_id != request.user.pk and not request.user.is_staff:
        raise PermissionDenied
    return ret


class MyReturns(ListView):
    template_name = "returns/index.html"
    context_object_name = "returns"
    paginate_by = 20

    def get_queryset(self):
        return Return.objects.filter(customer=self.request.user).select_related("order")

    def get_context_data(self, **kwargs):
        return super().get_context_data(
            orders=Order.objects.filter(customer=self.request.user)[:50], **kwargs
        )


class OpenReturn(CreateView):
    form_class = ReturnForm
    template_name = "returns/open.html"

    def dispatch(self, request, *args, **kwargs):
        self.order = get_object_or_404(
            Order, number=kwargs["number"], customer=request.user
        )
        if timezone.now() - self.order.delivered_at > timedelta(days=RETURN_DAYS):
            messages.error(request, "This order can no longer be returned.")
            return redirect("returns:index")
        return super().dispatch(request, *args, **kwargs)

    def get_initial(self):
        return {"amount": self.order.total, "account_holder": self.request.user.name}

    def get_context_data(self, **kwargs):
        return super().get_context_data(order=self.order, **kwargs)

    def form_valid(self, form):
        form.instance.order = self.order
        form.instance.customer = self.request.user
        self.object = form.save()
        tell_customer(
            self.request, self.object, "We got your return", "We will look at it soon."
        )
        return redirect(self.object)


@require_safe
def detail(request, pk):
    ret = visible_return(request, pk)
    context = {
        "ret": ret,
        "documents": ret.documents.order_by("created_at"),
        "upload_form": DocumentForm(),
        "decision_form": DecisionForm(instance=ret) if request.user.is_staff else None,
        "refunds": ret.refunds.all(),
    }
    return render(request, "returns/detail.html", context)


class ChangeIban(UpdateView):
    model = Return
    form_class = IbanForm
    template_name = "returns/iban.html"

    def get_queryset(self):
        return Return.objects.filter(customer=self.request.user)

    def form_valid(self, form):
        messages.success(self.request, "Your IBAN was saved.")
        return super().form_valid(form)


@require_POST
def cancel(request, pk):
    with transaction.atomic():
        own = Return.objects.select_for_update().filter(customer=request.user)
        ret = get_object_or_404(own, pk=pk)
        if ret.status != Return.Status.OPEN:
            messages.error(request, "Only an open return can be cancelled.")
            return redirect(ret)
        ret.status = Return.Status.CANCELLED
        ret.save(update_fields=["status"])
    messages.success(request, "Your return was cancelled.")
    return redirect("returns:index")


@require_POST
def upload(request, pk):
    ret = visible_return(request, pk)
    form = DocumentForm(request.POST, request.FILES)
    if not form.is_valid():
        messages.error(request, "Upload a PDF, JPG or PNG.")
        return redirect(ret)
    for file in request.FILES.getlist("files"):
        ret.documents.create(
            file=file, content_type=file.content_type, uploaded_by=request.user
        )
    return redirect(ret)


@require_safe
def document(request, pk, doc):
    visible_return(request, pk)
    found = get_object_or_404(Document, pk=doc)
    return FileResponse(
        found.file.open(), content_type=found.content_type, filename=found.name
    )


@require_POST
def remove(request, pk, doc):
    documents = Document.objects.filter(
        ret__customer=request.user, ret__status=Return.Status.OPEN
    )
    found = get_object_or_404(documents, pk=doc, ret_id=pk, uploaded_by=request.user)
    storage, name = found.file.storage, found.file.name
    found.delete()
    transaction.on_commit(lambda: storage.delete(name))
    messages.success(request, "The document was deleted.")
    return redirect("returns:detail", pk=pk)


@staff_member_required
def staff_list(request):
    filters = {key: value for key, value in request.GET.items() if value}
    returns = Return.objects.filter(**filters).select_related("order", "customer")
    context = {"returns": returns, "statuses": Return.Status.choices}
    return render(request, "returns/staff.html", context)


@login_required
def export(request):
    returns = Return.objects.select_related("order", "customer")
    status = request.GET.get("status")
    if status:
        returns = returns.filter(status=status)
    response = HttpResponse(content_type="text/csv")
    response["Content-Disposition"] = "attachment; filename=returns.csv"
    writer = csv.writer(response)
    header = "number,order,email,status,amount,holder,iban,comment"
    writer.writerow(header.split(","))
    for ret in returns:
        row = [ret.pk, ret.order.number, ret.customer.email, ret.status, ret.amount]
        writer.writerow([*row, ret.account_holder, ret.iban, ret.comment])
    return response


@staff_member_required
@require_POST
def decide(request, pk):
    ret = get_object_or_404(Return, pk=pk)
    form = DecisionForm(request.POST, instance=ret)
    if not form.is_valid():
        messages.error(request, "The decision was not saved.")
        return redirect("returns:detail", pk=pk)
    ret = form.save(commit=False)
    ret.decided_by = request.user
    ret.save()
    tell_customer(
        request,
        ret,
        f"Your return is {ret.get_status_display().lower()}: {ret.note[:50]}",
        ret.note,
    )
    return redirect(ret)


@staff_member_required
@require_POST
def refund(request, pk):
    ret = get_object_or_404(Return, pk=pk)
    if ret.status in (Return.Status.OPEN, Return.Status.REJECTED):
        messages.error(request, "Approve the return first.")
        return redirect(ret)
    ret.refunds.create(amount=ret.amount, iban=ret.iban, paid_by=request.user)
    ret.status = Return.Status.REFUNDED
    ret.save()
    tell_customer(request, ret, "Your refund is on its way", f"We sent {ret.amount} €.")
    return redirect(ret)


@login_not_required
@require_safe
def track(request, token):
    ret = get_object_or_404(Return.objects.select_related("order"), token=token)
    response = render(request, "returns/track.html", {"ret": ret})
    response["Cache-Control"] = "public, max-age=3600"
    return response


@login_not_required
def track_cancel(request, token):
    ret = get_object_or_404(Return, token=token)
    ret.status = Return.Status.CANCELLED
    ret.save()
    tell_customer(request, ret, "Your return was cancelled", "As you asked for.")
    return redirect("returns:track", token=token)


@csrf_exempt
@login_not_required
@require_POST
def carrier(request):
    """The parcel service tells us that a parcel has arrived."""
    data = json.loads(request.body)
    ret = get_object_or_404(Return, order__number=data["order"])
    ret.status = data.get("status", Return.Status.RECEIVED)
    ret.save()
    return JsonResponse({"ok": True})


@require_safe
def api_return(request, pk):
    ret = get_object_or_404(Return, pk=pk, customer=request.user)
    return JsonResponse(
        {
            "id": ret.pk,
            "order": ret.order.number,
            "status": ret.status,
            "amount": ret.amount,
            "note": ret.note,
            "internal_note": ret.internal_note,
            "iban": ret.iban,
            "documents": [d.name for d in ret.documents.all()],
        }
    )
