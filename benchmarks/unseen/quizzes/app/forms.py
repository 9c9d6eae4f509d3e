from django import forms

from quizzes.models import Choice, Question, Quiz


class QuizForm(forms.ModelForm):
    class Meta:
        model = Quiz
        fields = ["title", "description", "minutes", "max_attempts", "pass_percent"]
        fields += ["access_code", "open_until", "is_published"]


class QuestionForm(forms.ModelForm):
    choices = forms.CharField(
        widget=forms.Textarea,
        required=False,
        help_text="One on each line. Begin correct ones with an asterisk (*).",
    )

    class Meta:
        model = Question
        fields = ["text", "kind", "solution", "points", "position"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial["choices"] = "\n".join(
                f"{'*' if choice.is_correct else ''}{choice.text}"
                for choice in self.instance.choices.all()
            )

    def save_choices(self):
        self.instance.choices.all().delete()
        for line in self.cleaned_data["choices"].splitlines():
            text = line.strip()
            if text:
                Choice.objects.create(
                    question=self.instance,
                    text=text.lstrip("*").strip()[:200],
                    is_correct=text.startswith("*"),
                )


class ImportForm(forms.Form):
    url = forms.CharField(
        label="Address of a text file",
        help_text="Each line: question; choice; *correct choice; choice",
    )


class ShareForm(forms.Form):
    email = forms.EmailField(label="Email of a friend")
    message = forms.CharField(widget=forms.Textarea, required=False)
