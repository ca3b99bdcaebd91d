from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Effect",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("execution", models.BigIntegerField(db_index=True)),
                ("task", models.BigIntegerField(null=True)),
                ("kind", models.CharField(max_length=16)),
                ("fire_at", models.DateTimeField()),
                ("attempt", models.IntegerField()),
                ("node", models.CharField(max_length=36)),
                ("seen", models.CharField(max_length=16)),
                ("pid", models.IntegerField()),
                ("at", models.DateTimeField()),
            ],
        ),
    ]
