from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from boards.models import Board, Card


@require_GET
@login_required
def show_board(request: HttpRequest, slug: str) -> HttpResponse:
    board = get_object_or_404(Board, slug=slug, owner=request.user)
    return render(request, "boards/board.html", {"board": board})


@require_GET
@login_required
def show_card(request: HttpRequest, board_slug: str, pk: int) -> HttpResponse:
    card = get_object_or_404(Card, pk=pk, board__slug=board_slug)
    return render(request, "boards/card.html", {"card": card})


@require_POST
@login_required
def delete_card(request: HttpRequest, board_id: int, card_id: int) -> HttpResponse:
    board = get_object_or_404(Board, pk=board_id, owner=request.user)
    get_object_or_404(board.card_set, pk=card_id).delete()
    return redirect("/boards/")


@require_GET
def count_boards(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{Board.objects.count()}", content_type="text/plain")
