from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Effect",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("label", models.CharField(max_length=64)),
                ("fire_at", models.DateTimeField()),
                ("attempt", models.IntegerField()),
                ("pid", models.IntegerField()),
            ],
        ),
    ]
