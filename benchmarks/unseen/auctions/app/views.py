import logging
import mimetypes
import re
import urllib.request
from decimal import Decimal

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Max
from django.http import FileResponse, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_POST, require_safe
from django.views.generic import ListView, UpdateView
from secure_django.photos.forms import render_form

from auctions.forms import AuctionEditForm, AuctionForm, ImportForm, MessageForm
from auctions.models import Auction, Bid, Message, Watch

logger = logging.getLogger(__name__)

URL = re.compile(r"(https?://\S+)")


def with_links(text):
    """Make the addresses in a message clickable."""
    return mark_safe(URL.sub(r'<a href="\1">\1</a>', text).replace("\n", "<br>"))


@method_decorator(login_not_required, name="dispatch")
class AuctionList(ListView):
    template_name = "auctions/index.html"
    context_object_name = "auctions"
    paginate_by = 20

    def get_queryset(self):
        auctions = Auction.objects.filter(status=Auction.Status.OPEN)
        q = self.request.GET.get("q", "").strip()
        if q:
            auctions = auctions.filter(title__icontains=q)
        sort = self.request.GET.get("sort")
        if sort:
            auctions = auctions.order_by(sort)
        return auctions.select_related("seller", "photo")


@login_not_required
@require_safe
def detail(request, pk):
    auction = get_object_or_404(Auction.objects.select_related("seller"), pk=pk)
    user = request.user
    is_watched = user.is_authenticated and auction.watches.filter(user=user).exists()
    context = {
        "auction": auction,
        "bids": auction.bids.select_related("bidder")[:20],
        "is_watched": is_watched,
        "is_seller": auction.seller_id == user.pk,
        "may_write": auction.winner_id and auction.is_participant(user),
        "is_winner": auction.winner_id and auction.winner_id == user.pk,
    }
    return render(request, "auctions/detail.html", context)


def create(request):
    auction = Auction(seller=request.user)
    form = AuctionForm(
        request.POST or None, request.FILES or None, instance=auction, owner=request.user
    )
    if form.is_valid():
        form.save()
        messages.success(request, "Your auction is online.")
        return redirect(auction)
    return render_form(request, "auctions/form.html", form)


def import_listing(request):
    form = ImportForm(request.POST or None)
    template = "auctions/import.html"
    if form.is_valid():
        try:
            page = urllib.request.urlopen(form.cleaned_data["url"]).read().decode()
        except (OSError, ValueError) as error:
            form.add_error("url", f"The page could not be read: {error}")
        else:
            title = re.search(r"<title>(.*?)</title>", page, re.DOTALL)
            text = re.sub(r"<[^>]+>", " ", page)[:3000]
            initial = {"title": title[1] if title else "", "description": text}
            form = AuctionForm(initial=initial, owner=request.user)
            template = "auctions/form.html"
    return render(request, template, {"form": form})


class AuctionEdit(UpdateView):
    form_class = AuctionEditForm
    template_name = "auctions/form.html"

    def get_queryset(self):
        return Auction.objects.filter(seller=self.request.user)


@require_POST
def bid(request, pk):
    auction = get_object_or_404(Auction, pk=pk)
    amount = Decimal(request.POST["amount"])
    previous = auction.highest_bid
    if auction.status != Auction.Status.OPEN or amount < auction.next_amount:
        messages.error(request, "The auction is over, or your bid is too low.")
        return redirect(auction)
    Bid.objects.create(auction=auction, bidder=request.user, amount=amount)

    url = request.build_absolute_uri(auction.get_absolute_url())
    if previous and previous.bidder_id != request.user.pk:
        send_mail(
            "You were outbid",
            f"{request.user.email} bid {amount} on “{auction.title}”.\n\n{url}",
            None,
            [previous.bidder.email],
        )
    watchers = [
        watch.user.email
        for watch in auction.watches.select_related("user").exclude(user=request.user)
    ]
    if watchers:
        send_mail(
            "New bid on an article you watch",
            f"“{auction.title}” is now at {amount}.\n\n{url}",
            None,
            watchers,
        )
    messages.success(request, "Your bid was placed.")
    return redirect(auction)


@require_POST
def retract(request, pk):
    own_bid = get_object_or_404(Bid, pk=pk, bidder=request.user)
    own_bid.delete()
    messages.success(request, "Your bid was withdrawn.")
    return redirect(own_bid.auction)


def watch(request, pk):
    auction = get_object_or_404(Auction, pk=pk)
    entry, created = Watch.objects.get_or_create(user=request.user, auction=auction)
    if not created:
        entry.delete()
    return redirect(request.GET.get("next") or auction.get_absolute_url())


class WatchList(ListView):
    template_name = "auctions/watchlist.html"
    context_object_name = "watches"
    paginate_by = 30

    def get_queryset(self):
        watches = Watch.objects.filter(user=self.request.user)
        return watches.select_related("auction").order_by("auction__ends_at")


class MySales(ListView):
    template_name = "auctions/sales.html"
    context_object_name = "auctions"
    paginate_by = 30

    def get_queryset(self):
        auctions = Auction.objects.filter(seller=self.request.user)
        return auctions.annotate(best=Max("bids__amount")).select_related("winner")


@require_POST
def close(request, pk):
    auction = get_object_or_404(Auction, pk=pk)
    if auction.seller != request.user:
        raise PermissionDenied
    best = auction.highest_bid
    auction.status = Auction.Status.CLOSED
    auction.winner = best.bidder if best else None
    auction.save()
    if best:
        url = request.build_absolute_uri(reverse("auctions:thread", args=[auction.pk]))
        send_mail(
            f"You won: {auction.title}",
            f"You won “{auction.title}” for {best.amount}.\n"
            f"The seller is {auction.seller}. Write to them here: {url}\n",
            None,
            [best.bidder.email],
        )
    messages.success(request, "The auction is closed.")
    return redirect(auction)


@require_POST
def cancel(request, pk):
    with transaction.atomic():
        auctions = Auction.objects.select_for_update().filter(seller=request.user)
        auction = get_object_or_404(auctions, pk=pk)
        if auction.status != Auction.Status.OPEN or auction.bids.exists():
            messages.error(request, "Only an auction without bids can be cancelled.")
            return redirect(auction)
        auction.status = Auction.Status.CANCELLED
        auction.save(update_fields=["status"])
    messages.success(request, "The auction was cancelled.")
    return redirect("auctions:sales")


def thread(request, pk):
    auction = get_object_or_404(Auction, pk=pk, status=Auction.Status.CLOSED)
    if not auction.winner_id or not auction.is_participant(request.user):
        raise PermissionDenied
    form = MessageForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        message = form.save(commit=False)
        message.auction = auction
        message.sender = request.user
        message.save()
        is_seller = request.user.pk == auction.seller_id
        other = auction.winner if is_seller else auction.seller
        logger.info(
            "message from %s to %s: %s", request.user.email, other.email, message.text
        )
        send_mail(
            "You have a new message",
            f"{message.text}\n\n{request.build_absolute_uri()}",
            None,
            [other.email],
        )
        return redirect("auctions:thread", pk=auction.pk)
    thread_messages = list(auction.messages.select_related("sender").order_by("pk"))
    auction.messages.filter(read_at=None).exclude(sender=request.user).update(
        read_at=timezone.now()
    )
    for message in thread_messages:
        message.html = with_links(message.text)
    context = {"auction": auction, "thread": thread_messages, "form": form}
    return render(request, "auctions/thread.html", context)


@require_safe
def attachment(request, pk):
    message = get_object_or_404(Message.objects.exclude(attachment=""), pk=pk)
    content_type, _ = mimetypes.guess_type(message.attachment.name)
    return FileResponse(
        message.attachment.open(),
        content_type=content_type or "application/octet-stream",
    )


@login_not_required
@require_safe
def api_auction(request, pk):
    auction = get_object_or_404(Auction, pk=pk)
    return JsonResponse(
        {
            "id": auction.pk,
            "title": auction.title,
            "price": auction.current_price,
            "next": auction.next_amount,
            "reserve_price": auction.reserve_price,
            "running": auction.is_running,
            "bids": [
                {"bidder": b.bidder_id, "amount": b.amount, "at": b.created_at}
                for b in auction.bids.all()
            ],
        }
    )


@require_safe
def api_messages(request, pk):
    auction = get_object_or_404(Auction, pk=pk)
    if not auction.is_participant(request.user):
        raise PermissionDenied
    since = int(request.GET.get("since", 0))
    new = auction.messages.filter(pk__gt=since).select_related("sender")
    rows = [{"id": m.pk, "from": str(m.sender), "text": m.text} for m in new]
    return JsonResponse({"messages": rows})
