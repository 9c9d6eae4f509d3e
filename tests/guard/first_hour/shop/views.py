from django.contrib.auth.mixins import LoginRequiredMixin
from django.db.models import QuerySet
from django.http import HttpResponse
from django.views import View
from django.views.generic import DetailView

from shop.models import Book, Order


class OrderView(LoginRequiredMixin, DetailView):
    model = Order
    slug_field = "number"
    slug_url_kwarg = "number"
    http_method_names = ["get"]

    def render_to_response(
        self, context: dict[str, Order], **_: object
    ) -> HttpResponse:
        return HttpResponse(context["order"].message, content_type="text/plain")


class PackedView(OrderView):
    def get_queryset(self) -> QuerySet[Order]:
        return Order.objects.filter(packer=self.request.user)


class BookView(LoginRequiredMixin, View):
    http_method_names = ["get"]

    def get(self, request: object, pk: int) -> HttpResponse:
        Book.objects.get(pk=self.kwargs["pk"])
        return HttpResponse("in stock", content_type="text/plain")
