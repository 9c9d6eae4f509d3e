from django.conf import settings
from django.db import models


class Board(models.Model):
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    slug = models.SlugField(unique=True, default="")
    title = models.CharField(max_length=80)
    # A board is made before its cards, which need it.
    latest = models.ForeignKey("Card", models.SET_NULL, null=True, related_name="+")

    def save(self, **options: object) -> None:
        if self.pk:
            Board.objects.get(pk=self.pk)  # a new board has no key yet
        super().save(**options)


class Card(models.Model):
    board = models.ForeignKey(Board, on_delete=models.CASCADE)
    parent = models.ForeignKey("self", on_delete=models.CASCADE, null=True)
    text = models.TextField(max_length=2000)
    color = models.CharField(max_length=5, choices=[("red", "Red"), ("blue", "Blue")])
    start = models.DateField()
    end = models.DateField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(end__gt=models.F("start")), name="ends_after_start"
            )
        ]
