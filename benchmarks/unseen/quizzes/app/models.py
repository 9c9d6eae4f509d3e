from django.conf import settings
from django.db import models
from django.db.models import Q, Sum
from django.urls import reverse
from django.utils import timezone


class QuizQuerySet(models.QuerySet):
    def listed(self):
        now = timezone.now()
        return self.filter(
            Q(open_until=None) | Q(open_until__gt=now), is_published=True
        )


class Quiz(models.Model):
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="quizzes"
    )
    title = models.CharField(max_length=120)
    description = models.TextField(blank=True)
    minutes = models.PositiveIntegerField("time limit in minutes", default=20)
    max_attempts = models.PositiveIntegerField(default=1)
    pass_percent = models.PositiveIntegerField(default=60)
    access_code = models.CharField(
        max_length=20, blank=True, help_text="Leave empty to let everyone take it."
    )
    open_until = models.DateTimeField(null=True, blank=True)
    is_published = models.BooleanField("published", default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = QuizQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "quizzes"
        ordering = ["-created_at"]

    def __str__(self):
        return self.title

    def get_absolute_url(self):
        return reverse("quizzes:quiz", args=[self.pk])

    @property
    def is_open(self):
        return self.open_until is None or timezone.now() < self.open_until

    def max_score(self):
        return self.questions.aggregate(total=Sum("points"))["total"] or 0


class Question(models.Model):
    class Kind(models.TextChoices):
        SINGLE = "single", "one answer"
        MULTIPLE = "multiple", "several answers"
        TEXT = "text", "a word or number"

    quiz = models.ForeignKey(Quiz, models.CASCADE, related_name="questions")
    text = models.TextField()
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.SINGLE)
    solution = models.CharField(
        max_length=100, blank=True, help_text="For a word or number."
    )
    points = models.PositiveIntegerField(default=1)
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]

    def __str__(self):
        return self.text[:60]


class Choice(models.Model):
    question = models.ForeignKey(Question, models.CASCADE, related_name="choices")
    text = models.CharField(max_length=200)
    is_correct = models.BooleanField(default=False)

    class Meta:
        ordering = ["id"]

    def __str__(self):
        return self.text


class Attempt(models.Model):
    quiz = models.ForeignKey(Quiz, models.CASCADE, related_name="attempts")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="attempts"
    )
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    score = models.FloatField(default=0)

    class Meta:
        ordering = ["-started_at"]

    def __str__(self):
        return f"{self.quiz}: {self.user}"

    @property
    def percent(self):
        return round(self.score / self.quiz.max_score() * 100)

    @property
    def is_passed(self):
        return self.percent >= self.quiz.pass_percent

    def add_up(self):
        self.score = self.answers.aggregate(total=Sum("points"))["total"] or 0


class Answer(models.Model):
    attempt = models.ForeignKey(Attempt, models.CASCADE, related_name="answers")
    question = models.ForeignKey(Question, models.CASCADE, related_name="answers")
    given = models.CharField(max_length=500, blank=True)
    points = models.FloatField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["attempt", "question"], name="one_answer_per_question"
            )
        ]

    def __str__(self):
        return self.given
