"""What REST framework does for a list and an insertion, and no more."""

from rest_framework.pagination import PageNumberPagination
from rest_framework.permissions import DjangoModelPermissions
from rest_framework.serializers import ModelSerializer
from rest_framework.viewsets import ModelViewSet

from benchmarks.site.models import Note


class NoteSerializer(ModelSerializer[Note]):
    class Meta:
        model = Note
        fields = ("id", "name", "func", "text", "created_at")


class Pages(PageNumberPagination):
    page_size = 50


class NoteViewSet(ModelViewSet[Note]):
    queryset = Note.objects.order_by("-id")
    serializer_class = NoteSerializer
    pagination_class = Pages
    permission_classes = (DjangoModelPermissions,)
