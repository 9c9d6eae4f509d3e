from factory import Faker
from factory.django import DjangoModelFactory

from shop.models import Order


class OrderFactory(DjangoModelFactory):
    class Meta:
        model = Order

    message = Faker("sentence")
    size = 24
