"""Which files lie on a share of the network."""

from __future__ import annotations

import os
from pathlib import Path

_MOUNTS = Path("/proc/self/mounts")  # only Linux has it; elsewhere nothing is known
_OF_THE_NETWORK = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "lustre", "gluster", "beegfs", "fuse.sshfs", "fuse.s3fs")


def network_share(path: str | os.PathLike[str]) -> str:
    """The kind of the share that a file lies on; empty where it is a disk of this host, or where nothing is known."""
    try:
        lines = _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    place = os.path.realpath(path)
    mounts = [(fields[1].replace("\\040", " "), fields[2]) for line in lines if len(fields := line.split()) > 2]
    above = [(point, kind) for point, kind in mounts if _is_below(place, point)]
    kind = max(above, key=lambda mount: len(mount[0]), default=("", ""))[1]
    return kind if kind.startswith(_OF_THE_NETWORK) else ""


def _is_below(place: str, point: str) -> bool:
    return place == point or place.startswith(point.rstrip("/") + "/")
