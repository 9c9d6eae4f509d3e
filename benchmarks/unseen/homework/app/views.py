import csv
import io
import logging
import mimetypes
import zipfile
from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.mail import EmailMessage, send_mail
from django.db.models import Avg, Sum
from django.http import FileResponse, Http404, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.generic import CreateView, ListView, UpdateView
from secure_django.mail import send_invitation
from secure_django.models import Mail

from homework import forms
from homework.models import Classroom, Enrollment, Submission, Task

logger = logging.getLogger(__name__)


class ClassList(ListView):
    template_name = "homework/index.html"
    context_object_name = "classes"

    def get_queryset(self):
        return Classroom.objects.filter(teacher=self.request.user)

    def get_context_data(self, **kwargs):
        enrollments = Enrollment.objects.filter(
            pupil=self.request.user
        ).select_related("classroom", "classroom__teacher")
        return super().get_context_data(enrollments=enrollments, **kwargs)


class ClassCreate(CreateView):
    form_class = forms.ClassroomForm
    template_name = "homework/form.html"
    extra_context = {"heading": "New class"}

    def form_valid(self, form):
        form.instance.teacher = self.request.user
        return super().form_valid(form)


class ClassEdit(UpdateView):
    form_class = forms.ClassroomForm
    template_name = "homework/form.html"
    extra_context = {"heading": "Edit class"}

    def get_queryset(self):
        return Classroom.objects.filter(teacher=self.request.user)


@require_safe
def class_detail(request, pk):
    classroom = get_object_or_404(Classroom, pk=pk)
    if not classroom.is_member(request.user):
        raise Http404
    is_teacher = classroom.teacher == request.user
    tasks = classroom.tasks.all()
    if not is_teacher:
        tasks = tasks.filter(is_published=True)
    context = {
        "classroom": classroom,
        "tasks": tasks,
        "is_teacher": is_teacher,
        "enrollments": classroom.enrollments.select_related("pupil"),
    }
    return render(request, "homework/class.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def join(request):
    form = forms.JoinForm(request.POST or None)
    if form.is_valid():
        code = form.cleaned_data["code"]
        classroom = Classroom.objects.filter(code=code).first()
        if classroom:
            Enrollment.objects.get_or_create(classroom=classroom, pupil=request.user)
            logger.info("%s joined with code %s", request.user.email, code)
            messages.success(request, f"Welcome to {classroom}.")
            return redirect(classroom)
        logger.warning("%s tried the code %s", request.user.email, code)
        form.add_error("code", "There is no class with this code.")
    return render(request, "homework/form.html", {"form": form, "heading": "Join"})


@require_POST
def remove_pupil(request, pk):
    classroom = get_object_or_404(Classroom, pk=pk, teacher=request.user)
    number = request.POST.get("enrollment", "")
    if not number.isdecimal() or len(number) > 9:
        raise Http404
    get_object_or_404(classroom.enrollments, pk=number).delete()
    messages.success(request, "The pupil was removed.")
    return redirect(classroom)


class TaskCreate(CreateView):
    form_class = forms.TaskForm
    template_name = "homework/form.html"
    extra_context = {"heading": "New task"}

    def dispatch(self, request, *args, **kwargs):
        self.classroom = get_object_or_404(
            Classroom, pk=kwargs["pk"], teacher=request.user
        )
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form):
        form.instance.classroom = self.classroom
        return super().form_valid(form)


class TaskEdit(UpdateView):
    form_class = forms.TaskForm
    template_name = "homework/form.html"
    extra_context = {"heading": "Edit task"}

    def get_queryset(self):
        return Task.objects.filter(classroom__teacher=self.request.user)


@require_safe
def task_detail(request, pk):
    task = get_object_or_404(Task.objects.select_related("classroom"), pk=pk)
    if not task.classroom.is_member(request.user):
        raise Http404
    is_teacher = task.classroom.teacher == request.user
    context = {"task": task, "is_teacher": is_teacher}
    if is_teacher:
        context["submissions"] = task.submissions.select_related("pupil")
    else:
        context["own"] = task.submissions.filter(pupil=request.user).first()
    return render(request, "homework/task.html", context)


def task_delete(request, pk):
    task = get_object_or_404(Task, pk=pk, classroom__teacher=request.user)
    task.delete()
    messages.success(request, "The task was deleted.")
    return redirect(task.classroom)


@require_http_methods(["GET", "HEAD", "POST"])
def hand_in(request, pk):
    task = get_object_or_404(Task, pk=pk)
    if not task.classroom.has_pupil(request.user):
        raise Http404
    submission = task.submissions.filter(pupil=request.user).first()
    if submission is None and task.is_over:
        messages.error(request, "The due date has passed.")
        return redirect(task)
    data = (request.POST, request.FILES) if request.method == "POST" else ()
    form = forms.SubmissionForm(*data, instance=submission)
    if form.is_valid():
        submission = form.save(commit=False)
        submission.task = task
        submission.pupil = request.user
        if request.FILES:
            submission.original_name = form.cleaned_data["file"].name
        submission.save()
        messages.success(request, "Your work was handed in.")
        return redirect(task)
    return render(request, "homework/form.html", {"form": form, "heading": task.title})


@require_safe
def download(request, pk):
    submission = get_object_or_404(Submission, pk=pk)
    if not submission.file or not submission.task.classroom.is_member(request.user):
        raise Http404
    content_type = mimetypes.guess_type(submission.original_name)[0]
    response = FileResponse(submission.file.open("rb"), content_type=content_type)
    response["Content-Disposition"] = f'inline; filename="{submission.original_name}"'
    return response


@require_http_methods(["GET", "HEAD", "POST"])
def grade(request, class_pk, pk):
    classroom = get_object_or_404(Classroom, pk=class_pk, teacher=request.user)
    submission = get_object_or_404(Submission, pk=pk)
    form = forms.GradeForm(request.POST or None, instance=submission)
    if form.is_valid():
        form.instance.graded_at = timezone.now()
        form.save()
        send_mail(
            f"{classroom}: your homework was graded",
            f"{submission.task.title}: {submission.points} of"
            f" {submission.task.max_points} points.\n\n{submission.comment}",
            None,
            [submission.pupil.email],
        )
        return redirect(submission.task)
    context = {"form": form, "submission": submission}
    return render(request, "homework/grade.html", context)


@require_safe
def task_status(request, pk):
    task = get_object_or_404(Task, pk=pk)
    if not task.classroom.is_member(request.user):
        return JsonResponse({"error": "not a member"}, status=403)
    rows = task.submissions.values(
        "id", "pupil__email", "submitted_at", "points", "comment", "note"
    )
    pupils = task.classroom.enrollments.count()
    return JsonResponse({"pupils": pupils, "submissions": list(rows)})


@require_safe
def upcoming(request):
    days = int(request.GET.get("days", 7))
    now = timezone.now()
    tasks = Task.objects.filter(
        classroom__enrollments__pupil=request.user,
        is_published=True,
        due_at__range=(now, now + timedelta(days=days)),
    )
    data = [
        {"title": task.title, "due": task.due_at, "url": task.get_absolute_url()}
        for task in tasks
    ]
    return JsonResponse({"tasks": data})


@require_safe
def grades_csv(request, pk):
    classroom = get_object_or_404(Classroom, pk=pk, teacher=request.user)
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{classroom.name}.csv"'
    writer = csv.writer(response)
    writer.writerow(["pupil", "email", "task", "points", "of", "text", "comment"])
    rows = Submission.objects.filter(task__classroom=classroom)
    for row in rows.select_related("pupil", "task").order_by("pupil", "task"):
        cells = [row.pupil, row.pupil.email, row.task.title, row.points]
        writer.writerow([*cells, row.task.max_points, row.text[:200], row.comment])
    return response


@require_safe
def files_zip(request, pk):
    task = get_object_or_404(Task, pk=pk, classroom__teacher=request.user)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for submission in task.submissions.exclude(file="").select_related("pupil"):
            name = f"{submission.pupil}/{submission.original_name}"
            archive.writestr(name, submission.file.read())
    buffer.seek(0)
    return FileResponse(buffer, as_attachment=True, filename=f"task-{task.pk}.zip")


class MyGrades(ListView):
    template_name = "homework/my_grades.html"
    context_object_name = "submissions"

    def get_queryset(self):
        return Submission.objects.filter(
            pupil=self.request.user, graded_at__isnull=False
        ).select_related("task", "task__classroom")

    def get_context_data(self, **kwargs):
        total = self.get_queryset().aggregate(
            points=Sum("points"), of=Sum("task__max_points")
        )
        return super().get_context_data(total=total, **kwargs)


@require_http_methods(["GET", "HEAD", "POST"])
def parent(request, pk):
    enrollment = get_object_or_404(Enrollment, classroom=pk, pupil=request.user)
    form = forms.ParentForm(request.POST or None, instance=enrollment)
    if form.is_valid():
        form.save()
        if enrollment.parent_email:
            sent = send_invitation(
                request,
                enrollment.parent_email,
                "homework/email/report",
                "homework:report",
                enrollment.report_key,
            )
            if sent:
                messages.success(request, "The link to the report was sent.")
            else:
                messages.error(request, "Too many emails today. Try tomorrow.")
        return redirect(enrollment.classroom)
    context = {"form": form, "enrollment": enrollment}
    return render(request, "homework/parent.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def write_parents(request, pk):
    classroom = get_object_or_404(Classroom, pk=pk, teacher=request.user)
    form = forms.MessageForm(request.POST or None)
    if form.is_valid():
        enrollments = classroom.enrollments.exclude(parent_email="")
        addresses = list(enrollments.values_list("parent_email", flat=True))
        message = EmailMessage(
            form.cleaned_data["subject"],
            form.cleaned_data["text"],
            to=addresses,
            reply_to=[request.user.email],
        )
        message.kind = Mail.Kind.NORMAL
        message.send()
        messages.success(request, f"Sent to {len(addresses)} parents.")
        return redirect(classroom)
    context = {"form": form, "heading": f"Write to the parents of {classroom}"}
    return render(request, "homework/form.html", context)


@login_not_required
@require_safe
def report(request, key):
    enrollment = get_object_or_404(
        Enrollment.objects.select_related("pupil", "classroom"), report_key=key
    )
    work = Submission.objects.filter(task__classroom=enrollment.classroom)
    own = work.filter(pupil=enrollment.pupil).select_related("task")
    best = (
        Enrollment.objects.filter(
            classroom=enrollment.classroom,
            pupil__submissions__task__classroom=enrollment.classroom,
        )
        .select_related("pupil")
        .annotate(total=Sum("pupil__submissions__points"))
        .order_by("-total")[:5]
    )
    context = {
        "enrollment": enrollment,
        "submissions": own,
        "average": work.aggregate(value=Avg("points"))["value"],
        "best": best,
    }
    return render(request, "homework/report.html", context)
