from django import forms

from comments.models import Comment


class CommentForm(forms.ModelForm):
    class Meta:
        model = Comment
        fields = ("photo", "author", "parent", "text", "is_approved")
        widgets = {
            "photo": forms.HiddenInput,
            "author": forms.HiddenInput,
            "parent": forms.HiddenInput,
            "is_approved": forms.HiddenInput,
        }


class EditForm(forms.ModelForm):
    class Meta:
        model = Comment
        fields = ("text",)
