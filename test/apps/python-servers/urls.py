from django.shortcuts import redirect, render
from django.urls import path


def index(request):
    return render(request, "index.html")


def say(request):
    return redirect("said", request.POST["word"])


def said(request, word):
    return render(request, "said.html", {"word": word})


urlpatterns = [
    path("", index),
    path("say/", say),
    path("said/<str:word>/", said, name="said"),
]
