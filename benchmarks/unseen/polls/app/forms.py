from django import forms

from polls.models import Comment, Poll


class PollForm(forms.ModelForm):
    options = forms.CharField(
        widget=forms.Textarea, help_text="One on each line, at least two."
    )

    class Meta:
        model = Poll
        fields = ["question", "description", "visibility", "show_results"]
        fields += ["is_anonymous", "allow_guests", "several", "ends_at"]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            options = self.instance.options.all()
            self.initial["options"] = "\n".join(option.text for option in options)

    def clean_options(self):
        lines = [line.strip() for line in self.cleaned_data["options"].splitlines()]
        options = [line for line in lines if line]
        if len(options) < 2:
            raise forms.ValidationError("Write at least two options.")
        return options

    def save_options(self):
        present = list(self.instance.options.all())
        for index, text in enumerate(self.cleaned_data["options"]):
            if index < len(present):
                present[index].text = text[:120]
                present[index].save()
            else:
                self.instance.options.create(text=text[:120])
        for option in present[len(self.cleaned_data["options"]) :]:
            option.delete()


class CommentForm(forms.ModelForm):
    class Meta:
        model = Comment
        fields = ["text"]


class ShareForm(forms.Form):
    emails = forms.CharField(widget=forms.Textarea, help_text="One on each line.")
