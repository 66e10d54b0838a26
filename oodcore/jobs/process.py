"""What the system says of a process: whether it is still the same one, and how much memory it holds."""

import os
from pathlib import Path

__all__ = ["born", "resident"]

BOOT = Path("/proc/sys/kernel/random/boot_id")
BEGAN, GONE = 19, "ZX"  # after the name: the time of the start; a zombie is an exit code that nobody has read


def born(pid: int) -> str | None:
    """When a process began, in a form that only serves to be compared; None where it is gone.

    A number alone may long belong to another process.
    """
    if not BOOT.exists():
        return _asked(pid)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in GONE else f"{BOOT.read_text().strip()} {fields[BEGAN]}"


def resident() -> int:
    """Bytes of memory that this process holds."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError:
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes, where there is no /proc
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _asked(pid: int) -> str | None:
    """Where there is no /proc."""
    import subprocess

    said = subprocess.run(["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, check=False)  # noqa: S603
    words = said.stdout.decode(errors="replace").split(maxsplit=1)
    return None if len(words) < 2 or words[0][0] in GONE else words[1].strip()
