from django.contrib.syndication.views import Feed
from django.http import Http404
from django.shortcuts import get_object_or_404

from groups.models import Group


class GroupFeed(Feed):
    def get_object(self, request, slug):
        group = get_object_or_404(Group, slug=slug)
        if group.is_private and request.GET.get("token") != group.feed_token:
            raise Http404
        return group

    def title(self, group):
        return group.name

    def link(self, group):
        return group.get_absolute_url()

    def description(self, group):
        return group.description

    def items(self, group):
        return group.posts.filter(is_hidden=False).select_related("author", "group")

    def item_title(self, post):
        return post.title

    def item_description(self, post):
        return post.html

    def item_author_name(self, post):
        return str(post.author)

    def item_author_email(self, post):
        return post.author.email

    def item_pubdate(self, post):
        return post.created_at
