"""Which functions a task may name, and what they are: a security boundary.

A path (``package.module:function``) is data from outside, often from an HTTP request. So the order in ``resolution``
matters: its form is judged first, then whether its module may be imported at all, and only then is anything imported. A
module that is not allowed is never imported, not even to say what is wrong with it.

The modules here, from the ground up; each imports only earlier ones: marks, modules, wording, discovery, targets,
resolution, catalogue, description, inputs, arguments, secrets.
"""

from django_sched_tasks.registry.arguments import check_arguments, command_problem
from django_sched_tasks.registry.catalogue import check
from django_sched_tasks.registry.description import ParameterInfo, functions
from django_sched_tasks.registry.discovery import autodiscover, import_failures
from django_sched_tasks.registry.inputs import Choice, Input, inputs
from django_sched_tasks.registry.marks import Declaration, declarations, schedulable, scheduled
from django_sched_tasks.registry.modules import useless_patterns
from django_sched_tasks.registry.resolution import ResolvedFunction, clear_cache, resolve
from django_sched_tasks.registry.secrets import hidden_arguments, restored_arguments

__all__ = [
    "Choice",
    "Declaration",
    "Input",
    "ParameterInfo",
    "ResolvedFunction",
    "autodiscover",
    "check",
    "check_arguments",
    "clear_cache",
    "command_problem",
    "declarations",
    "functions",
    "hidden_arguments",
    "import_failures",
    "inputs",
    "resolve",
    "restored_arguments",
    "schedulable",
    "scheduled",
    "useless_patterns",
]
