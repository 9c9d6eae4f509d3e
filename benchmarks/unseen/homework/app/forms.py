from django import forms

from homework.models import Classroom, Enrollment, Submission, Task

FILE_TYPES = {"application/pdf", "image/jpeg", "image/png", "text/plain"}


class ClassroomForm(forms.ModelForm):
    class Meta:
        model = Classroom
        fields = ["name", "is_archived"]


class JoinForm(forms.Form):
    code = forms.CharField(max_length=5, help_text="Your teacher has it.")


class TaskForm(forms.ModelForm):
    class Meta:
        model = Task
        fields = ["title", "description", "due_at", "max_points"]
        fields += ["is_published", "grades_released"]


class SubmissionForm(forms.ModelForm):
    class Meta:
        model = Submission
        fields = ["text", "file"]

    def clean_file(self):
        file = self.cleaned_data.get("file")
        content_type = getattr(file, "content_type", None)
        if content_type and content_type not in FILE_TYPES:
            raise forms.ValidationError("Hand in a PDF, a picture or a text.")
        return file


class GradeForm(forms.ModelForm):
    class Meta:
        model = Submission
        fields = ["points", "comment", "note"]


class ParentForm(forms.ModelForm):
    class Meta:
        model = Enrollment
        fields = ["parent_email"]


class MessageForm(forms.Form):
    subject = forms.CharField(max_length=120)
    text = forms.CharField(widget=forms.Textarea, max_length=5000)
