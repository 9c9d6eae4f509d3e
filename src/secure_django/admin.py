"""The admin site: its rules hold for the registered models of every package."""

from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from functools import singledispatch, update_wrapper
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import LogEntry
from django.contrib.admin.options import InlineModelAdmin
from django.contrib.admin.utils import get_fields_from_path, quote
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.contrib.admin.widgets import ForeignKeyRawIdWidget
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import (
    BadRequest,
    FieldDoesNotExist,
    ObjectDoesNotExist,
    ValidationError,
)
from django.db import connection, transaction
from django.db.models import (
    FETCH_PEERS,
    Field,
    ForeignKey,
    ManyToManyField,
    Model,
    QuerySet,
)
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.html import format_html
from django.utils.text import Truncator
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from secure_django.deletion import (
    Deletion,
    DeletionRefusedError,
    delete_user,
    label_of,
    plan_deletion,
)
from secure_django.user import User, staff_label

__all__ = ["AdminSite", "ModelAdmin"]

# Only superusers may change groups, permissions and who has them.
RESERVED_MODELS = {Group, Permission}
RESERVED_FIELDS = {"is_staff", "is_superuser"}


def may_change(request: HttpRequest, model: type[Model]) -> bool:
    """Return whether the user may change the objects of a model."""
    if request.user.is_superuser:
        return True
    related_models = {field.related_model for field in model._meta.fields}
    models = {model._meta.concrete_model} | related_models
    return models.isdisjoint(RESERVED_MODELS)


def reserved_fields(model: type[Model]) -> list[str]:
    """Return the names of the fields that only superusers may change."""
    return [
        field.name
        for field in (*model._meta.fields, *model._meta.many_to_many)
        if field.related_model in RESERVED_MODELS or field.name in RESERVED_FIELDS
    ]


def readonly_fields(model: type[Model]) -> list[str]:
    return [
        field.name
        for field in model._meta.fields
        if getattr(field, "readonly_in_admin", False)
    ]


def parameter_of(list_filter: Any) -> Any:
    """Return the parameter of the URL that a filter of a list reads.

    A filter is a field's name, a pair of that name and a class, or a class with the
    name of its parameter.
    """
    if isinstance(list_filter, list | tuple):
        return list_filter[0]
    return getattr(list_filter, "parameter_name", list_filter)


def lock_row(instance: Model) -> Model | None:
    """Lock an object until the end of the transaction, and read it again.

    A save writes every column: without the lock, it would undo what others have saved
    since the object was read. Return None if the object was deleted meanwhile.
    """
    rows = type(instance)._base_manager.select_for_update(no_key=True)
    try:
        instance.refresh_from_db(from_queryset=rows)
    except ObjectDoesNotExist:
        return None
    return instance


def is_of_user(field: Any) -> bool:
    """Return whether a field refers to users."""
    related = field.related_model
    return isinstance(related, type) and issubclass(related, User)


class Labelled(SimpleLazyObject):
    """A user whose text is what staff see: the name and the email.

    Visitors may read `str(user)`, so it has no email.
    """

    def __init__(self, user: Any) -> None:
        super().__init__(lambda: user)

    def __str__(self) -> str:
        return staff_label(self)


class Numbered(SimpleLazyObject):
    """A user whose text is the id, for the admin's log.

    The log stays when an account and its personal data are deleted.
    """

    def __init__(self, user: Any) -> None:
        super().__init__(lambda: user)

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"


class LogEntries(QuerySet[LogEntry]):
    """Entries of the log, which names users as staff see them while they exist."""

    def __iter__(self) -> Iterator[LogEntry]:
        entries = list(super().__iter__())
        about_users = [entry for entry in entries if is_about_user(entry)]
        users = User._default_manager.in_bulk(
            [entry.object_id for entry in about_users]
        )
        labels = {str(pk): staff_label(user) for pk, user in users.items()}
        for entry in about_users:
            entry.object_repr = labels.get(str(entry.object_id), entry.object_repr)
        return iter(entries)


def is_about_user(entry: LogEntry) -> bool:
    content_type = entry.content_type
    return content_type is not None and content_type.model_class() is User


def label(instance: Any) -> Any:
    """Return an object whose text is for staff: a user gets the name and the email."""
    return Labelled(instance) if isinstance(instance, User) else instance


def number(instance: Any) -> Any:
    """Return an object whose text is for the admin's log."""
    return Numbered(instance) if isinstance(instance, User) else instance


@singledispatch
def show_field(field: Field, instance: Any, request: HttpRequest, linked: bool) -> Any:
    """Return what staff see of an object's field, or None if it is empty.

    With `linked`, it may be a link. A class of fields registers its own function;
    Django shows the other fields.
    """
    raise NotImplementedError


@show_field.register
def show_user(
    field: ForeignKey, instance: Any, request: HttpRequest, linked: bool
) -> Any:
    user = getattr(instance, field.name)
    if user is None:
        return None
    user_admin = admin_of(admin.site, type(user))
    if not linked or not user_admin or not user_admin.has_view_permission(request):
        return staff_label(user)
    name = f"admin:{user._meta.app_label}_{user._meta.model_name}_change"
    url = reverse(name, args=[quote(user.pk)])
    return format_html('<a href="{}">{}</a>', url, staff_label(user))


@show_field.register
def show_users(
    field: ManyToManyField, instance: Any, request: HttpRequest, linked: bool
) -> Any:
    users = getattr(instance, field.name).all()
    return ", ".join(staff_label(user) for user in users) or None


@dataclass(frozen=True)
class Column:
    """A field as staff see it, in a list or among the fields that nobody changes."""

    field: Any
    request: HttpRequest
    admin: Any
    linked: bool = dataclass_field(default=True, compare=False)

    @property
    def __name__(self) -> str:
        return str(self.field.name)

    @property
    def short_description(self) -> Any:
        return self.field.verbose_name

    @property
    def admin_order_field(self) -> str | None:
        if not is_of_user(self.field):
            return None
        return f"{self.field.name}__{self.field.related_model.USERNAME_FIELD}"

    def __call__(self, instance: Any) -> Any:
        shown = show_field(self.field, instance, self.request, self.linked)
        return self.admin.get_empty_value_display() if shown is None else shown


class PersonField(forms.ModelChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        return str(label(obj))


class PeopleField(forms.ModelMultipleChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        return str(label(obj))


class PersonIdWidget(ForeignKeyRawIdWidget):
    def label_and_url_for_value(self, value: Any) -> tuple[str, str]:
        text, url = super().label_and_url_for_value(value)
        user = self.rel.model._default_manager.filter(pk=value).first() if url else None
        return (Truncator(label(user)).words(14) if user else text), url


class PersonFilter(admin.RelatedFieldListFilter):
    """Choose among users by what staff see of them."""

    def field_choices(self, field: Any, request: Any, model_admin: Any) -> Any:
        users = field.related_model._default_manager.complex_filter(
            field.get_limit_choices_to()
        )
        ordered = users.order_by(field.related_model.USERNAME_FIELD)
        return [(user.pk, str(label(user))) for user in ordered]


class StaffFields:
    """Show people with name and email, and photos as pictures.

    Mixed into the admin of a model and into that of its inline objects.
    """

    model: Any
    view_on_site: Any = False  # staff may not see every object's page

    def column(self, name: Any, request: HttpRequest, linked: bool = True) -> Any:
        """Return the column of a field that has one, or what was given."""
        try:
            field = self.model._meta.get_field(name)
        except FieldDoesNotExist:
            return name
        shows = show_field.dispatch(type(field))
        if shows is show_field.dispatch(object):
            return name
        if shows in (show_user, show_users) and not is_of_user(field):
            return name
        return Column(field, request, self, linked)

    def formfield_for_foreignkey(
        self, db_field: Any, request: Any, **kwargs: Any
    ) -> Any:
        if not is_of_user(db_field):
            return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]
        kwargs.setdefault("form_class", PersonField)
        formfield = super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]
        widget = formfield.widget
        if isinstance(widget, ForeignKeyRawIdWidget):
            formfield.widget = PersonIdWidget(widget.rel, widget.admin_site)
        return formfield

    def formfield_for_manytomany(
        self, db_field: Any, request: Any, **kwargs: Any
    ) -> Any:
        if is_of_user(db_field):
            kwargs.setdefault("form_class", PeopleField)
        return super().formfield_for_manytomany(db_field, request, **kwargs)  # type: ignore[misc]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        names = [
            *super().get_readonly_fields(request, obj),  # type: ignore[misc]
            *readonly_fields(self.model),
        ]
        columns = [self.column(name, request) for name in names]
        # The names too, so that no form has an input for them.
        return tuple(dict.fromkeys([*names, *columns]))

    def has_form(self, request: HttpRequest, obj: Any) -> bool:
        """Return whether the page of an object has an input for some field."""
        if self.has_change_permission(request, obj):  # type: ignore[attr-defined]
            return True
        is_inline = isinstance(self, InlineModelAdmin)
        return is_inline and self.has_add_permission(request, obj)  # type: ignore[attr-defined]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)  # type: ignore[misc]
        is_readonly = obj is not None and not self.has_form(request, obj)
        readonly = self.get_readonly_fields(request, obj)

        def shown(name: Any) -> Any:
            if isinstance(name, list | tuple):
                return tuple(dict.fromkeys(map(shown, name)))
            column = self.column(name, request)
            return column if is_readonly or column in readonly else name

        return [
            (title, options | {"fields": shown(options["fields"])})
            for title, options in fieldsets
        ]


def attributes_of(inline: Any) -> dict[str, Any]:
    """Return what the admin of inline objects may not choose.

    Only the page of an account deletes it, with all that it asks before.
    """
    return {"can_delete": False} if issubclass(inline.model, User) else {}


class ModelAdmin(StaffFields, admin.ModelAdmin):
    """Allow only the lookups of a list's own filters.

    Reserve groups and permissions for superusers. Link only to pages of the site that
    the viewer may see.
    """

    def is_on_site(self, request: HttpRequest, obj: Any) -> bool:
        """Return whether the viewer may see the object's page on the site.

        Override this for pages that staff may see. Most objects have a page for their
        owner alone.
        """
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # One query for the related objects of all rows, whatever a list shows of them.
        return super().get_queryset(request).fetch_mode(FETCH_PEERS)

    def get_list_display(self, request: HttpRequest) -> Any:
        names = list(super().get_list_display(request))
        links = self.list_display_links or names[:1]
        kept = (*self.list_editable, ACTION_CHECKBOX_NAME)
        return [
            name if name in kept else self.column(name, request, name not in links)
            for name in names
        ]

    def get_list_display_links(self, request: HttpRequest, list_display: Any) -> Any:
        links = super().get_list_display_links(request, list_display)
        return links and [self.column(name, request) for name in links]

    def get_sortable_by(self, request: HttpRequest) -> Any:
        return [self.column(name, request) for name in super().get_sortable_by(request)]

    def get_list_filter(self, request: HttpRequest) -> Any:
        return [self.filter_of(item) for item in super().get_list_filter(request)]

    def filter_of(self, list_filter: Any) -> Any:
        """Return the filter of a list; one by a field of users names them for staff."""
        if not isinstance(list_filter, str):
            return list_filter
        try:
            field = get_fields_from_path(self.model, list_filter)[-1]
        except FieldDoesNotExist:
            return list_filter
        is_by_user = isinstance(field, ForeignKey) and is_of_user(field)
        return (list_filter, PersonFilter) if is_by_user else list_filter

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # Django allows lookups on every field of the model: `?session_key__gte=…` would
        # reveal a secret bit by bit.
        offered = [self.date_hierarchy, *self.get_list_filter(request)]
        names = [parameter_of(list_filter) for list_filter in offered]
        is_offered = any(
            lookup == name or lookup.startswith(f"{name}__") for name in names
        )
        return is_offered and super().lookup_allowed(lookup, value, request)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            for key in request.POST.getlist(ACTION_CHECKBOX_NAME):
                self.opts.pk.to_python(key)
        except ValidationError:
            raise BadRequest("An id of a selected row is malformed") from None
        try:
            return super().changelist_view(request, extra_context)
        except OverflowError:  # SQLite's, for an id of 20 digits
            raise BadRequest("An id of a selected row is too long") from None

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        # Django would look up a field with an empty name.
        instance = super().get_object(request, object_id, from_field or None)
        if instance and request.method == "POST" and connection.in_atomic_block:
            return lock_row(instance)
        return instance

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except OverflowError:
            # An id in a list's form is too large for SQLite: Django does not check it.
            raise BadRequest("Id too long") from None

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        names = super().get_readonly_fields(request, obj)
        if request.user.is_superuser:
            return names
        return (*names, *reserved_fields(self.model))

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any
    ) -> Any:
        response: Any = super().render_change_form(request, context, *args, **kwargs)
        original = context.get("original")
        if original and self.is_on_site(request, original):
            page = original.get_absolute_url()
            response.context_data |= {"has_absolute_url": True, "absolute_url": page}
        return name_person(response)

    def render_delete_form(self, request: HttpRequest, context: Any) -> Any:
        return name_person(super().render_delete_form(request, context))

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: Any = None
    ) -> Any:
        return name_person(super().history_view(request, object_id, extra_context))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        names, counts, missing, protected = super().get_deleted_objects(
            [label(obj) for obj in objs], request
        )
        users = str(User._meta.verbose_name_plural)
        if issubclass(self.model, User):
            # The titles of a user's objects are private. Kinds and numbers are enough.
            deletion = plan_deletion(*objs)
            names = [staff_label(user) for user in objs]
            counts = {users: len(names), **counts_of(deletion)}
            protected = needed_rows(deletion)
            name_staying_rows(self, request, deletion)
        elif users in {str(name) for name in counts}:
            # Only the page of an account deletes it, with all that it asks before.
            protected = [*protected, users]
        return names, counts, missing, protected

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().delete_view(request, *args, **kwargs)
        except DeletionRefusedError:
            # A row has come since the page was shown.
            return answer_refusal(self, request)

    def response_action(
        self, request: HttpRequest, queryset: QuerySet[Any], *args: Any, **kwargs: Any
    ) -> Any:
        if not issubclass(self.model, User):
            return super().response_action(request, queryset, *args, **kwargs)
        try:
            # Django writes the log first.
            with transaction.atomic():
                return super().response_action(request, queryset, *args, **kwargs)
        except DeletionRefusedError:
            return answer_refusal(self, request)

    def response_add(self, request: Any, obj: Any, *args: Any, **kwargs: Any) -> Any:
        return super().response_add(request, label(obj), *args, **kwargs)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        return super().response_change(request, label(obj))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        # For the message, which Django writes after the deletion.
        setattr(request, "deleted_label", str(label(obj)))  # noqa: B010
        if isinstance(obj, User):
            delete_user(obj)
        else:
            super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        if issubclass(self.model, User):
            delete_user(*queryset)
        else:
            super().delete_queryset(request, queryset)

    def response_delete(
        self, request: HttpRequest, obj_display: str, obj_id: Any
    ) -> HttpResponse:
        text = getattr(request, "deleted_label", obj_display)
        return super().response_delete(request, text, obj_id)

    def action_checkbox(self, obj: Any) -> Any:
        return super().action_checkbox(label(obj))

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return super().log_addition(request, number(obj), message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return super().log_change(request, number(obj), message)

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        users: Any = [number(obj) for obj in queryset]
        return super().log_deletions(request, users)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        inlines = super().get_inlines(request, obj)
        return [
            type(inline.__name__, (StaffFields, inline), attributes_of(inline))
            for inline in inlines
            if may_change(request, inline.model)
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        is_allowed = super().has_add_permission(request)
        return is_allowed and may_change(request, self.model)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_allowed = super().has_change_permission(request, obj)
        return is_allowed and may_change(request, self.model)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_allowed = super().has_delete_permission(request, obj)
        return is_allowed and may_change(request, self.model)


def name_staying_rows(
    model_admin: ModelAdmin, request: HttpRequest, deletion: Deletion
) -> None:
    if not deletion.stays:
        return
    kinds = ", ".join(map(str, deletion.stays))
    text = gettext("These stay, without the name of the account: %s") % kinds
    model_admin.message_user(request, text, messages.INFO, fail_silently=True)


def answer_refusal(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    text = gettext("Nothing was deleted: other people need what would go.")
    model_admin.message_user(request, text, messages.ERROR)
    meta = model_admin.opts
    return redirect(f"admin:{meta.app_label}_{meta.model_name}_changelist")


def counts_of(deletion: Deletion) -> dict[str, int]:
    """Return how many rows of each kind go with an account, for staff."""
    counts = {str(label_of(rows.model, 2)): rows.number for rows in deletion.goes}
    for rows in deletion.lost:
        kind = gettext("%s of other people") % label_of(rows.model, 2)
        counts[kind] = rows.number
    return counts


def needed_rows(deletion: Deletion) -> list[str]:
    """Return the kinds of rows for which an account must stay, for staff."""
    shared = [
        f"{rows} ({rows.holder_label})" if rows.holder else str(rows)
        for rows in deletion.in_the_way
    ]
    return [*shared, *map(str, deletion.protected)]


def name_person(response: Any) -> Any:
    """Name the user whom a page of the admin is about, for staff."""
    context: Any = getattr(response, "context_data", None) or {}
    instance = context.get("original") or context.get("object")
    if not isinstance(instance, User):
        return response
    person = Labelled(instance)
    replaced: dict[str, Any] = dict.fromkeys(("original", "object"), person)
    replaced["escaped_object"] = str(person)
    if context.get("subtitle"):
        replaced["subtitle"] = str(person)
    if "action_list" in context:
        replaced["title"] = gettext("Change history: %s") % person
    response.context_data |= replaced
    return response


def admin_of(site: Any, model: Any) -> Any:
    """Return the admin of a registered model, or None."""
    return site.get_model_admin(model) if site.is_registered(model) else None


class Autocomplete(AutocompleteJsonView):
    def serialize_result(self, obj: Any, to_field_name: str) -> dict[str, str]:
        return super().serialize_result(label(obj), to_field_name)


class AdminSite(admin.AdminSite):
    site_header = getattr(settings, "SITE_NAME", admin.AdminSite.site_header)
    site_title = getattr(settings, "SITE_NAME", admin.AdminSite.site_title)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        checked_view = super().admin_view(view, cacheable)
        # Django's own views take every method.
        return require_http_methods(["GET", "HEAD", "POST"])(checked_view)

    def get_log_entries(self, request: HttpRequest) -> QuerySet[LogEntry]:
        return LogEntries(LogEntry).select_related("content_type", "user")

    def get_urls(self) -> list[Any]:
        urls: list[Any] = super().get_urls()
        own_name = "view_on_site"
        return [
            self.page_path(url) if getattr(url, "name", "") == own_name else url
            for url in urls
        ]

    def page_path(self, url: Any) -> Any:
        """Return the path of page_on_site, in place of Django's own."""
        # With the attributes that LoginRequiredMiddleware reads.
        view: Any = update_wrapper(self.admin_view(self.page_on_site), url.callback)
        return path(str(url.pattern), view, name=url.name)

    def page_on_site(
        self, request: HttpRequest, content_type_id: str, object_id: str
    ) -> HttpResponse:
        """Lead to an object's page on the site, if the viewer may see that page."""
        try:
            content_type = ContentType.objects.get(pk=content_type_id)
        except (ObjectDoesNotExist, OverflowError, ValueError):
            raise Http404 from None
        model = content_type.model_class()
        model_admin: Any = admin_of(self, model)
        instance = model_admin and model_admin.get_object(request, object_id)
        if not instance or not model_admin.has_view_permission(request, instance):
            raise Http404
        is_for_all = model_admin.get_view_on_site_url(instance) is not None
        if not is_for_all and not model_admin.is_on_site(request, instance):
            raise Http404
        if not hasattr(instance, "get_absolute_url"):
            raise Http404  # its admin names another address, by a function
        return redirect(instance.get_absolute_url())

    def autocomplete_view(self, request: HttpRequest) -> Any:
        return Autocomplete.as_view(admin_site=self)(request)

    def register(
        self, model_or_iterable: Any, admin_class: Any = None, **options: Any
    ) -> None:
        admin_class = admin_class or ModelAdmin
        if not issubclass(admin_class, ModelAdmin):
            admin_class = type(admin_class.__name__, (ModelAdmin, admin_class), {})
        super().register(model_or_iterable, admin_class, **options)
