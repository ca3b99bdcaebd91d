from typing import TYPE_CHECKING

from django.contrib import admin

from .models import DailyReport, Project

if TYPE_CHECKING:
    ProjectModelAdmin = admin.ModelAdmin[Project]
    DailyReportModelAdmin = admin.ModelAdmin[DailyReport]
else:
    ProjectModelAdmin = DailyReportModelAdmin = admin.ModelAdmin


@admin.register(Project)
class ProjectAdmin(ProjectModelAdmin):
    list_display = ["code", "name", "owner", "budget", "status", "updated_at"]
    list_filter = ["status", "owner"]
    search_fields = ["code", "name", "owner"]


@admin.register(DailyReport)
class DailyReportAdmin(DailyReportModelAdmin):
    list_display = ["day", "summary", "created_at"]
    date_hierarchy = "day"
