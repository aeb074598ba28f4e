"""Unpacks the headers and CPU libraries of the given wheels: unpack.py OUT WHEEL..."""

import os
import shutil
import sys
import zipfile

LIBRARIES = {
    "torch/lib/libtorch_cpu.so",
    "torch/lib/libc10.so",
    "torch/lib/libgomp.so.1",
    "nvidia/cu13/lib/libcudart.so.13",
    "nvidia/cu13/lib/libcupti.so.13",
}
HEADERS = "torch/include/"


def place(name):
    """Where a member of a wheel goes, or None if it is not wanted."""
    if name.endswith("/") or ".." in name.split("/"):
        return None
    if name in LIBRARIES:
        return os.path.join("lib", os.path.basename(name))
    if name.startswith(HEADERS):
        return os.path.join("include", name[len(HEADERS):])
    return None


def main(out, wheels):
    members = []
    for wheel in wheels:
        archive = zipfile.ZipFile(wheel)
        members += [(archive, info, place(info.filename)) for info in archive.infolist() if place(info.filename)]
    total = sum(info.file_size for _, info, _ in members)
    done, shown = 0, 0
    for archive, info, relative in members:
        path = os.path.join(out, relative)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with archive.open(info) as source, open(path, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
        done += info.file_size
        if done - shown > total // 5 or done == total:
            shown = done
            print(f"setup: unpacked {done // 1_000_000} of {total // 1_000_000} MB", file=sys.stderr, flush=True)


main(sys.argv[1], sys.argv[2:])
