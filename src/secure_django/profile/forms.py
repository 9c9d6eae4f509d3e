"""The form of the profile: the fields that the user model lists, and the language."""

from typing import Any

from django import forms
from django.forms import modelform_factory
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _

from secure_django.login.fields import form_field, profile_fields
from secure_django.photos.forms import PhotoModelForm
from secure_django.user import User
from secure_django.web.languages import languages


class ProfileForm(PhotoModelForm):
    """A form of a user's own account, with the fields of `profile_form`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "language" in self.fields:
            self.fields["language"] = language_field()

    def photo_title(self) -> str:
        # The name is encrypted, and the title of a photo is not.
        return gettext("Picture of a profile")


def profile_form() -> Any:
    """Return the form with the fields that the user model and the settings offer."""
    names = profile_fields()
    if languages():
        names.append("language")
    return modelform_factory(
        User, form=ProfileForm, fields=names, formfield_callback=form_field
    )


def language_field() -> forms.ChoiceField:
    """Return a choice of languages, each by its own name."""
    choices = [(code, name_of_language(code, name)) for code, name in languages()]
    return forms.ChoiceField(
        label=_("Language"),
        required=False,
        choices=[("", _("As in the browser")), *choices],
        help_text=User._meta.get_field("language").help_text,
    )


def name_of_language(code: str, name: Any) -> str:
    with override(code):
        return str(name)
