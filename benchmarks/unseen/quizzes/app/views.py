import logging
import time
from datetime import timedelta
from urllib.request import urlopen

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Max
from django.http import Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse, reverse_lazy
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.generic import CreateView, DeleteView, ListView, UpdateView

from quizzes.forms import ImportForm, QuestionForm, QuizForm, ShareForm
from quizzes.models import Answer, Attempt, Choice, Question, Quiz

logger = logging.getLogger(__name__)


class QuizList(ListView):
    template_name = "quizzes/index.html"
    context_object_name = "quizzes"
    paginate_by = 30

    def get_queryset(self):
        return Quiz.objects.listed().select_related("owner")


@require_safe
def mine(request):
    context = {
        "quizzes": Quiz.objects.filter(owner=request.user),
        "attempts": Attempt.objects.filter(user=request.user).select_related("quiz"),
    }
    return render(request, "quizzes/mine.html", context)


class OwnQuizMixin:
    def get_queryset(self):
        return Quiz.objects.filter(owner=self.request.user)


class QuizCreate(CreateView):
    form_class = QuizForm
    template_name = "quizzes/form.html"
    extra_context = {"heading": "New quiz"}

    def form_valid(self, form):
        form.instance.owner = self.request.user
        return super().form_valid(form)


class QuizEdit(OwnQuizMixin, UpdateView):
    form_class = QuizForm
    template_name = "quizzes/form.html"
    extra_context = {"heading": "Edit quiz"}


class QuizDelete(OwnQuizMixin, DeleteView):
    template_name = "quizzes/delete.html"
    success_url = reverse_lazy("quizzes:mine")


def attempts_left(quiz, user):
    used = quiz.attempts.filter(user=user, finished_at__isnull=False).count()
    return max(quiz.max_attempts - used, 0)


@require_safe
def quiz_detail(request, pk):
    quiz = get_object_or_404(Quiz, pk=pk)
    is_owner = quiz.owner == request.user
    if not quiz.is_published and not is_owner:
        raise Http404
    code = request.GET.get("code", "")
    if code and code == quiz.access_code:
        request.session["quiz_unlocked"] = True
    elif code:
        logger.info("wrong code %s for quiz %s by %s", code, pk, request.user.email)
        messages.error(request, "This code is not right.")
    context = {
        "quiz": quiz,
        "is_owner": is_owner,
        "attempts_left": attempts_left(quiz, request.user),
        "needs_code": quiz.access_code and "quiz_unlocked" not in request.session,
        "link": request.build_absolute_uri(f"?code={quiz.access_code}"),
    }
    return render(request, "quizzes/quiz.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def question_form(request, pk, question_pk=None):
    quiz = get_object_or_404(Quiz, pk=pk, owner=request.user)
    question = Question(quiz=quiz)
    if question_pk:
        question = get_object_or_404(quiz.questions, pk=question_pk)
    form = QuestionForm(request.POST or None, instance=question)
    if form.is_valid():
        form.save()
        form.save_choices()
        return redirect(quiz)
    return render(
        request, "quizzes/form.html", {"form": form, "heading": "Question", "quiz": quiz}
    )


@require_POST
def question_delete(request, pk):
    question = get_object_or_404(Question, pk=pk)
    question.delete()
    messages.success(request, "The question was deleted.")
    return redirect(question.quiz)


@require_http_methods(["GET", "HEAD", "POST"])
def import_questions(request, pk):
    quiz = get_object_or_404(Quiz, pk=pk, owner=request.user)
    form = ImportForm(request.POST or None)
    if form.is_valid():
        number = 0
        try:
            with urlopen(form.cleaned_data["url"]) as response:
                lines = response.read().decode("utf-8", "replace").splitlines()
        except Exception as error:
            messages.error(request, f"The file could not be read: {error}")
            return redirect("quizzes:import", quiz.pk)
        for line in lines:
            parts = [part.strip() for part in line.split(";") if part.strip()]
            if len(parts) < 2:
                messages.warning(request, f"Skipped: {line}")
                continue
            question = quiz.questions.create(text=parts[0], position=number)
            for part in parts[1:]:
                question.choices.create(
                    text=part.lstrip("*")[:200], is_correct=part.startswith("*")
                )
            number += 1
        messages.success(request, f"{number} questions were imported.")
        return redirect(quiz)
    context = {"form": form, "heading": "Import questions", "quiz": quiz}
    return render(request, "quizzes/form.html", context)


@require_POST
@transaction.atomic
def copy(request, pk):
    original = get_object_or_404(Quiz.objects.listed(), pk=pk)
    questions = list(original.questions.prefetch_related("choices"))
    quiz = Quiz.objects.create(
        owner=request.user,
        title=f"Copy of {original.title}"[:120],
        description=original.description,
        minutes=original.minutes,
        max_attempts=original.max_attempts,
        pass_percent=original.pass_percent,
    )
    for question in questions:
        choices = list(question.choices.all())
        question.pk = None
        question.quiz = quiz
        question._state.adding = True
        question.save()
        for choice in choices:
            question.choices.create(text=choice.text, is_correct=choice.is_correct)
    messages.success(request, "The quiz was copied. You can now change it.")
    return redirect("quizzes:edit", quiz.pk)


@require_POST
def start(request, pk):
    quiz = get_object_or_404(Quiz, pk=pk, is_published=True)
    if quiz.access_code and not request.session.get("quiz_unlocked"):
        raise PermissionDenied
    if not attempts_left(quiz, request.user):
        messages.error(request, "You have no attempt left.")
        return redirect(quiz)
    attempt = Attempt.objects.create(quiz=quiz, user=request.user)
    return redirect("quizzes:take", attempt.pk)


@require_safe
def take(request, pk):
    attempt = get_object_or_404(Attempt, pk=pk, user=request.user)
    if attempt.finished_at:
        return redirect("quizzes:result", attempt.pk)
    context = {
        "attempt": attempt,
        "quiz": attempt.quiz,
        "questions": attempt.quiz.questions.prefetch_related("choices"),
        "started": int(attempt.started_at.timestamp()),
        "ends_at": attempt.started_at + timedelta(minutes=attempt.quiz.minutes),
    }
    return render(request, "quizzes/take.html", context)


def rate(attempt, question, values):
    points = 0
    if question.kind == Question.Kind.TEXT:
        if values and values[0].strip().lower() == question.solution.lower():
            points = question.points
    else:
        correct = question.choices.filter(is_correct=True).count()
        for value in values:
            choice = Choice.objects.get(pk=value)
            if choice.is_correct:
                points += question.points / max(correct, 1)
    answer, _ = Answer.objects.update_or_create(
        attempt=attempt,
        question=question,
        defaults={"given": ",".join(values)[:500], "points": points},
    )
    return answer


@require_POST
def save_answer(request, pk):
    """Called by the page while the pupil types, so that nothing is lost."""
    attempt = get_object_or_404(Attempt, pk=pk, user=request.user)
    question = get_object_or_404(attempt.quiz.questions, pk=request.POST["question"])
    answer = rate(attempt, question, request.POST.getlist("answer"))
    return JsonResponse(
        {"saved": True, "id": answer.pk, "given": answer.given, "points": answer.points}
    )


@require_POST
def finish(request, pk):
    attempt = get_object_or_404(Attempt, pk=pk, user=request.user)
    quiz = attempt.quiz
    used = time.time() - int(request.POST.get("started", 0))
    if used > quiz.minutes * 60 + 30:
        messages.error(request, "The time is over. Your saved answers count.")
    else:
        for question in quiz.questions.all():
            values = request.POST.getlist(f"question_{question.pk}")
            if values:
                rate(attempt, question, values)
    attempt.add_up()
    attempt.finished_at = timezone.now()
    attempt.save()
    send_mail(
        f"{attempt.user} finished {quiz}",
        f"{attempt.user} ({attempt.user.email}) has {attempt.score} of"
        f" {quiz.max_score()} points.",
        None,
        [quiz.owner.email],
    )
    return redirect("quizzes:result", attempt.pk)


@require_safe
def result(request, pk):
    attempt = get_object_or_404(Attempt.objects.select_related("quiz", "user"), pk=pk)
    if request.user not in (attempt.user, attempt.quiz.owner):
        raise Http404
    answers = {answer.question_id: answer for answer in attempt.answers.all()}
    rows = []
    for question in attempt.quiz.questions.prefetch_related("choices"):
        answer = answers.get(question.pk)
        given = answer.given.split(",") if answer else []
        choices = [
            (choice, str(choice.pk) in given) for choice in question.choices.all()
        ]
        rows.append({"question": question, "answer": answer, "choices": choices})
    return render(request, "quizzes/result.html", {"attempt": attempt, "rows": rows})


class Results(OwnQuizMixin, ListView):
    template_name = "quizzes/results.html"
    context_object_name = "attempts"

    def get_queryset(self):
        self.quiz = get_object_or_404(super().get_queryset(), pk=self.kwargs["pk"])
        return self.quiz.attempts.select_related("user")

    def get_context_data(self, **kwargs):
        return super().get_context_data(quiz=self.quiz, **kwargs)


@login_not_required
@require_safe
def best(request, pk):
    quiz = get_object_or_404(Quiz, pk=pk)
    limit = int(request.GET.get("limit", 10))
    attempts = (
        quiz.attempts.filter(finished_at__isnull=False)
        .values("user__id", "user__email")
        .annotate(best=Max("score"))
        .order_by("-best")[:limit]
    )
    return JsonResponse({"quiz": quiz.title, "best": list(attempts)})


@login_not_required
@require_safe
def certificate(request, pk):
    attempt = get_object_or_404(Attempt.objects.select_related("quiz", "user"), pk=pk)
    name = request.GET.get("name") or attempt.user.name or attempt.user.email
    svg = f"""<svg xmlns="http://www.w3.org/2000/svg" width="800" height="500">
  <rect width="796" height="496" x="2" y="2" fill="white" stroke="navy" stroke-width="4"/>
  <g font-family="serif" text-anchor="middle" fill="black">
    <text x="400" y="120" font-size="48">Certificate</text>
    <text x="400" y="230" font-size="36">{name}</text>
    <text x="400" y="300" font-size="22">has taken the quiz</text>
    <text x="400" y="345" font-size="28">{attempt.quiz.title}</text>
    <text x="400" y="420" font-size="22">{attempt.percent} percent</text>
  </g>
</svg>"""
    return HttpResponse(svg, content_type="image/svg+xml")


@require_http_methods(["GET", "HEAD", "POST"])
def share(request, pk):
    attempt = get_object_or_404(Attempt, pk=pk, user=request.user)
    if not attempt.finished_at or not attempt.is_passed:
        raise Http404
    form = ShareForm(request.POST or None)
    if form.is_valid():
        link = request.build_absolute_uri(
            reverse("quizzes:certificate", args=[attempt.pk])
        )
        send_mail(
            f"{request.user} has passed {attempt.quiz}",
            f"{form.cleaned_data['message']}\n\nThe certificate: {link}",
            request.user.email,
            [form.cleaned_data["email"]],
        )
        messages.success(request, "The certificate was sent.")
        return redirect("quizzes:result", attempt.pk)
    context = {"form": form, "heading": "Share the certificate", "quiz": attempt.quiz}
    return render(request, "quizzes/form.html", context)
