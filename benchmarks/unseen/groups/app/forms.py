from django import forms

from groups.models import Group, Post, Reply


class GroupForm(forms.ModelForm):
    class Meta:
        model = Group
        fields = ["name", "description", "is_private"]


class PostForm(forms.ModelForm):
    class Meta:
        model = Post
        fields = ["title", "body", "is_markdown", "is_pinned", "is_hidden"]


class ReplyForm(forms.ModelForm):
    class Meta:
        model = Reply
        fields = ["body", "is_markdown"]


class InviteForm(forms.Form):
    email = forms.EmailField()
