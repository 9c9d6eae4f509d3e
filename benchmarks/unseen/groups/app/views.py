from django.contrib import messages
from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_not_required
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.core.mail import EmailMessage, send_mail
from django.core.paginator import Paginator
from django.db import transaction
from django.db.models import Count, Q
from django.http import Http404, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.text import slugify
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.generic import CreateView, UpdateView
from secure_django.mail import send_invitation

from groups.forms import GroupForm, InviteForm, PostForm, ReplyForm
from groups.models import Group, Invitation, Membership, Post
from groups.text import mentioned_users

SALT = "groups.approve"


@require_safe
def index(request):
    context = {
        "groups": Group.objects.filter(is_private=False).annotate(
            size=Count("memberships")
        ),
        "memberships": request.user.memberships.select_related("group"),
    }
    return render(request, "groups/index.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@transaction.atomic
def create(request):
    form = GroupForm(request.POST or None)
    if form.is_valid():
        group = form.save(commit=False)
        group.slug = slugify(group.name)
        group.save()
        group.memberships.create(user=request.user, role="owner")
        return redirect(group)
    return render(request, "groups/form.html", {"form": form, "heading": "New group"})


def visible_group(request, slug):
    group = get_object_or_404(Group, slug=slug)
    if not group.is_visible_to(request.user):
        raise Http404
    return group


def moderated_group(request, slug):
    group = get_object_or_404(Group, slug=slug)
    if not group.is_moderated_by(request.user):
        raise PermissionDenied
    return group


@require_safe
def group_detail(request, slug):
    group = get_object_or_404(Group, slug=slug)
    is_visible = group.is_visible_to(request.user)
    posts = group.posts.filter(is_hidden=False).select_related("author", "group")
    paginator = Paginator(posts, int(request.GET.get("size", 20)))
    context = {
        "group": group,
        "is_visible": is_visible,
        "page": paginator.get_page(request.GET.get("page")),
        "own": group.memberships.filter(user=request.user).first(),
        "is_moderator": group.is_moderated_by(request.user),
    }
    return render(request, "groups/group.html", context)


class GroupEdit(UpdateView):
    form_class = GroupForm
    template_name = "groups/form.html"
    extra_context = {"heading": "Edit group"}

    def get_object(self):
        return moderated_group(self.request, self.kwargs["slug"])


@require_POST
def join(request, slug):
    group = get_object_or_404(Group, slug=slug)
    status = "pending" if group.is_private else "active"
    membership, _ = Membership.objects.update_or_create(
        group=group, user=request.user, defaults={"status": status}
    )
    if status == "pending":
        token = signing.dumps({"membership": membership.pk}, salt=SALT)
        link = request.build_absolute_uri(
            reverse("groups:approve_by_email", args=[token])
        )
        moderators = group.memberships.exclude(role="member")
        send_mail(
            f"Request to join {group}",
            f"{request.user} ({request.user.email}) wants to join.\n\nAccept: {link}",
            None,
            list(moderators.values_list("user__email", flat=True)),
        )
        messages.info(request, "The moderators will look at your request.")
    return redirect(group)


@login_not_required
def approve_by_email(request, token):
    try:
        data = signing.loads(token, salt=SALT)
    except signing.BadSignature:
        raise Http404 from None
    membership = get_object_or_404(Membership, pk=data["membership"])
    membership.status = "active"
    membership.save()
    return render(request, "groups/approved.html", {"membership": membership})


@require_POST
def leave(request, slug):
    membership = get_object_or_404(Membership, group__slug=slug, user=request.user)
    if membership.role == "owner":
        messages.error(request, "Give the group to another member first.")
        return redirect(membership.group)
    membership.delete()
    return redirect("groups:index")


@require_http_methods(["GET", "HEAD", "POST"])
def invite(request, slug):
    group = moderated_group(request, slug)
    form = InviteForm(request.POST or None)
    if form.is_valid():
        invitation = Invitation.objects.create(
            group=group, email=form.cleaned_data["email"], invited_by=request.user
        )
        where = ("groups/email/invitation", "groups:accept", invitation.token)
        if send_invitation(request, invitation.email, *where):
            messages.success(request, "The invitation was sent.")
        else:
            messages.error(request, "Too many invitations. Try again tomorrow.")
        return redirect(group)
    return render(request, "groups/form.html", {"form": form, "heading": "Invite"})


@require_http_methods(["GET", "HEAD", "POST"])
def accept(request, token):
    invitation = get_object_or_404(Invitation, token=token)
    if request.method == "POST":
        Membership.objects.update_or_create(
            group=invitation.group, user=request.user, defaults={"status": "active"}
        )
        return redirect(invitation.group)
    return render(request, "groups/accept.html", {"invitation": invitation})


@require_safe
def members(request, slug):
    group = visible_group(request, slug)
    context = {
        "group": group,
        "memberships": group.memberships.select_related("user").order_by("pk"),
        "is_moderator": group.is_moderated_by(request.user),
        "roles": Membership.ROLES,
        "statuses": Membership.STATUSES,
    }
    return render(request, "groups/members.html", context)


@require_POST
def member_update(request, slug, pk):
    group = moderated_group(request, slug)
    membership = get_object_or_404(group.memberships, pk=pk)
    membership.role = request.POST.get("role", membership.role)
    membership.status = request.POST.get("status", membership.status)
    membership.save()
    messages.success(request, f"{membership.user} is now {membership.role}.")
    return redirect("groups:members", slug)


@require_safe
def people(request):
    """For the list of names that opens when a member types @."""
    users = get_user_model().objects.filter(
        email__icontains=request.GET.get("q", ""), is_active=True
    )
    found = [{"email": user.email, "name": user.name} for user in users[:20]]
    return JsonResponse({"people": found})


def notify(request, post, text):
    link = request.build_absolute_uri(post.get_absolute_url())
    for user in mentioned_users(text):
        EmailMessage(
            f"{request.user} mentioned you in {post.group}",
            f"{post.title}\n\n{text}\n\n{link}",
            to=[user.email],
            reply_to=[request.user.email],
        ).send()


class PostCreate(CreateView):
    form_class = PostForm
    template_name = "groups/form.html"
    extra_context = {"heading": "New post"}

    def dispatch(self, request, *args, **kwargs):
        self.group = get_object_or_404(Group, slug=kwargs["slug"])
        if not self.group.membership_of(request.user):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def form_valid(self, form):
        form.instance.group = self.group
        form.instance.author = self.request.user
        response = super().form_valid(form)
        notify(self.request, self.object, self.object.body)
        return response


class PostEdit(UpdateView):
    form_class = PostForm
    template_name = "groups/form.html"
    extra_context = {"heading": "Edit post"}

    def get_queryset(self):
        return Post.objects.filter(author=self.request.user)

    def form_valid(self, form):
        response = super().form_valid(form)
        notify(self.request, self.object, self.object.body)
        return response


@require_safe
def post_detail(request, slug, pk):
    group = visible_group(request, slug)
    post = get_object_or_404(group.posts.select_related("author"), pk=pk)
    is_moderator = group.is_moderated_by(request.user)
    if post.is_hidden and not is_moderator and post.author != request.user:
        raise Http404
    context = {
        "group": group,
        "post": post,
        "replies": post.replies.select_related("author"),
        "is_member": group.membership_of(request.user),
        "may_delete": is_moderator or post.author == request.user,
        "form": ReplyForm(),
    }
    return render(request, "groups/post.html", context)


@require_POST
def post_delete(request, slug, pk):
    group = visible_group(request, slug)
    post = get_object_or_404(group.posts, pk=pk)
    if post.author != request.user and not group.is_moderated_by(request.user):
        raise PermissionDenied
    post.delete()
    messages.success(request, "The post was deleted.")
    return redirect(group)


@require_POST
def reply(request, slug, pk):
    group = get_object_or_404(Group, slug=slug)
    if not group.membership_of(request.user):
        raise PermissionDenied
    post = get_object_or_404(Post, pk=pk)
    form = ReplyForm(request.POST)
    if form.is_valid():
        form.instance.post = post
        form.instance.author = request.user
        form.save()
        notify(request, post, form.instance.body)
    return redirect(post)


@require_safe
def search(request):
    words = request.GET.get("q", "").strip()
    posts = Post.objects.none()
    if words:
        visible = Q(group__is_private=False) | Q(group__memberships__user=request.user)
        posts = Post.objects.filter(visible).select_related("group", "author")
        for word in words.split():
            posts = posts.filter(Q(title__icontains=word) | Q(body__icontains=word))
        posts = posts.distinct()
    return render(request, "groups/search.html", {"posts": posts, "words": words})


@login_not_required
@require_safe
def feed_json(request, slug):
    group = get_object_or_404(Group, slug=slug)
    if group.is_private and request.GET.get("token") != group.feed_token:
        return JsonResponse({"error": f"{group.name} is private"}, status=403)
    items = [
        {
            "id": post.pk,
            "url": request.build_absolute_uri(post.get_absolute_url()),
            "title": post.title,
            "content_html": post.html,
            "date_published": post.created_at,
            "authors": [{"name": str(post.author)}],
        }
        for post in group.posts.select_related("author", "group")
    ]
    version = "https://jsonfeed.org/version/1.1"
    return JsonResponse({"version": version, "title": group.name, "items": items})


@login_not_required
@require_safe
def out(request):
    """Links of posts go through here, so that no site sees the group's address."""
    return HttpResponseRedirect(request.GET["url"])
