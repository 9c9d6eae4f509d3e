from django import forms

from snippets.models import Share, Snippet


class SnippetForm(forms.ModelForm):
    class Meta:
        model = Snippet
        fields = ["title", "description", "code", "visibility", "webhook_url"]
        widgets = {"code": forms.Textarea(attrs={"rows": 16, "spellcheck": "false"})}


class ImportForm(forms.Form):
    url = forms.CharField(label="URL", max_length=500)


class ShareForm(forms.ModelForm):
    class Meta:
        model = Share
        fields = ["password", "expires_at"]
        widgets = {"expires_at": forms.DateTimeInput(attrs={"type": "datetime-local"})}
