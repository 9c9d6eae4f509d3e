from django import forms

from comments.models import Comment


class CommentForm(forms.ModelForm):
    class Meta:
        model = Comment
        fields = ("photo", "parent", "text")
        widgets = {"photo": forms.HiddenInput, "parent": forms.HiddenInput}


class EditForm(forms.ModelForm):
    class Meta:
        model = Comment
        fields = ("text",)
