from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Effect",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("task", models.TextField()),
                ("key", models.TextField(default="")),
                ("fire_at", models.DateTimeField(null=True)),
                ("at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
    ]
