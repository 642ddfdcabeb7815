"""Runs one command in a root file system of its own. A stand-alone program, started with a bare interpreter.

It reads one JSON document from standard input: ``argv``, ``env``, ``cwd``, ``hostname``, ``scratch`` (an empty folder),
``mounts`` (source, target, readonly), ``visible`` (folders of the machine that must stay visible, read-only), ``hidden``
(files and folders that must not be) and ``readonly`` (the root). What it learns goes to the descriptor ``--report``:
``pid N``, then ``error TEXT`` when the command could not be started.

The root is an overlay of the machine's own root with its changes in memory; where the kernel refuses an overlay, a
memory file system with bind mounts takes its place. Process identifiers, mounts and host name are separate, so whatever
the command leaves running ends with it, and all of it ends with the process that started this program. With
``--enter PID`` the command runs inside the namespaces of a running container instead.
"""

# Paths are plain text here: this program is on the way of every container, and pathlib would double its start.
# ruff: noqa: PTH102, PTH103, PTH106, PTH109, PTH110, PTH112, PTH114, PTH115, PTH118, PTH120, PTH211

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

_libc = ctypes.CDLL(None, use_errno=True)
_RDONLY, _BIND, _REC, _UNBINDABLE, _PRIVATE = 1, 4096, 16384, 1 << 17, 1 << 18
_NEWNS, _NEWUTS, _NEWUSER, _NEWPID = 0x20000, 0x4000000, 0x10000000, 0x20000000
_DETACH, _PDEATHSIG = 2, 1
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_MOUNT_SETATTR, _AT_RECURSIVE, _AT_FDCWD, _ATTR_RDONLY = 442, 0x8000, -100, 1
_KERNEL = ("/proc", "/sys", "/dev")
_OLD = "/.machine"


class _Attributes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns")]


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def _mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    text = [None if part is None else os.fsencode(part) for part in (source, target, kind, options)]
    _check(_libc.mount(text[0], text[1], text[2], ctypes.c_ulong(flags), text[3]), f"mount {target}")


def _bind(source: str, target: str, *, readonly: bool) -> None:
    _mount(source, target, None, _BIND | _REC)
    if readonly:
        _make_readonly(target, recursive=True)


def _make_readonly(target: str, *, recursive: bool) -> None:
    attributes = _Attributes(_ATTR_RDONLY, 0, 0, 0)
    flags = _AT_RECURSIVE if recursive else 0
    result = _libc.syscall(
        _MOUNT_SETATTR, _AT_FDCWD, os.fsencode(target), flags, ctypes.byref(attributes), ctypes.c_size_t(ctypes.sizeof(attributes))
    )
    _check(result, f"make {target} read-only")


def _mount_points() -> list[str]:
    """The machine's mounts below its root, outermost only."""
    found: list[str] = []
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        points = sorted({line.split(" ")[4].encode().decode("unicode_escape") for line in file})
    for point in points:
        if point != "/" and not any(point.startswith(outer + "/") for outer in found):
            found.append(point)
    return found


def _make_root(scratch: str, *, user_namespace: bool) -> tuple[str, bool]:
    """A new root below ``scratch``, and whether it is an overlay."""
    _mount("none", "/", None, _REC | _PRIVATE)
    _mount("tmpfs", scratch, "tmpfs", 0, "mode=0755")
    _mount("none", scratch, None, _UNBINDABLE)
    root = os.path.join(scratch, "root")
    for name in ("upper", "work", "root"):
        os.mkdir(os.path.join(scratch, name), 0o755)
    here = os.getcwd()
    os.chdir(scratch)
    try:
        # Relative folders: a path may hold the characters that separate mount options.
        options = "lowerdir=/,upperdir=upper,workdir=work" + (",userxattr" if user_namespace else "")
        _mount("overlay", root, "overlay", 0, options)
    except OSError:
        _mount("tmpfs", root, "tmpfs", 0, "mode=0755")
        return root, False
    finally:
        os.chdir(here)
    return root, True


def _fill_plain_root(points: Sequence[str]) -> None:
    """Without an overlay: show each entry of the machine's root at its place, read-only."""
    for entry in os.scandir(_OLD):
        if f"/{entry.name}" not in (*_KERNEL, "/tmp", _OLD) and f"/{entry.name}" not in points:  # noqa: S108
            _show(f"{_OLD}/{entry.name}", f"/{entry.name}")


def _show(source: str, target: str) -> None:
    """The same entry again at another path: a link as a link, everything else as a read-only bind."""
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
    else:
        _touch(target, folder=os.path.isdir(source))
        _bind(source, target, readonly=True)


def _touch(path: str, *, folder: bool) -> None:
    if folder:
        os.makedirs(path, exist_ok=True)
    elif not os.path.exists(path):
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))


def _ensure(path: str, *, folder: bool, opened: list[str]) -> None:
    """Make a mount point, if need be by covering a read-only folder with a writable one that shows the same."""
    if os.path.exists(path):
        return
    parent = os.path.dirname(path)
    _ensure(parent, folder=True, opened=opened)
    try:
        _touch(path, folder=folder)
    except OSError:
        real = os.path.realpath(parent)
        _mount("tmpfs", real, "tmpfs", 0, "mode=0755")
        opened.append(real)
        for entry in os.scandir(_OLD + real):
            _show(f"{_OLD}{real}/{entry.name}", f"{real}/{entry.name}")
        _touch(path, folder=folder)


def _enter_root(spec: dict[str, Any], *, user_namespace: bool) -> None:
    """Build the root and move into it. Only mounts follow, all of them seen from inside."""
    mounts = [(os.path.realpath(m["source"]), m["target"], bool(m["readonly"])) for m in spec["mounts"]]
    visible = [os.path.realpath(path) for path in spec["visible"] if os.path.exists(path)]
    points = _mount_points()
    root, overlay = _make_root(spec["scratch"], user_namespace=user_namespace)
    os.mkdir(root + _OLD)
    number = _PIVOT_ROOT.get(os.uname().machine)
    if number is None:
        raise OSError(f"no containers on {os.uname().machine}")
    _check(_libc.syscall(number, os.fsencode(root), os.fsencode(root + _OLD)), "pivot_root")
    os.chdir("/")
    if not overlay:
        _fill_plain_root(points)
    writable = []
    for path in _KERNEL:
        _touch(path, folder=True)
        if path == "/proc":
            _mount("proc", path, "proc", 0)
        else:
            _bind(_OLD + path, path, readonly=False)
    for path in ("/tmp", *(p for p in points if p == "/run")):  # noqa: S108
        _touch(path, folder=True)
        _mount("tmpfs", path, "tmpfs", 0, "mode=1777" if path != "/run" else "mode=0755")
        writable.append(path)
    for point in points:
        if not any(point == taken or point.startswith(taken + "/") for taken in (*_KERNEL, "/tmp", "/run")):  # noqa: S108
            _touch(point, folder=os.path.isdir(_OLD + point))
            _bind(_OLD + point, point, readonly=True)
    # Outermost first: a volume at /tmp must not cover what lies below it.
    mounts = sorted([*((path, path, True) for path in visible), *mounts], key=lambda mount: mount[1].count("/"))
    for source, target, _ in mounts:
        _ensure(target, folder=os.path.isdir(_OLD + source), opened=writable)
    for source, target, readonly in mounts:
        _ensure(target, folder=os.path.isdir(_OLD + source), opened=writable)
        _bind(_OLD + source, target, readonly=readonly)
    for path in spec["hidden"]:
        if os.path.isdir(path):
            _mount("tmpfs", path, "tmpfs", _RDONLY, "mode=0555")
        elif os.path.exists(path):
            _mount("/dev/null", path, None, _BIND)
    if spec["cwd"]:
        _ensure(spec["cwd"], folder=True, opened=writable)
    _check(_libc.umount2(os.fsencode(_OLD), _DETACH), "leave the machine's root")
    os.rmdir(_OLD)
    if spec["readonly"]:
        covered = {os.path.realpath(target) for _, target, _ in mounts}
        for path in ("/", *writable):
            # Neither what is mounted there nor below: volumes stay as they were asked for.
            if path not in covered:
                _make_readonly(path, recursive=False)
    if spec.get("hostname"):
        name = os.fsencode(spec["hostname"][:63])
        _check(_libc.sethostname(name, ctypes.c_size_t(len(name))), "set the host name")


def _die_with_parent() -> None:
    _libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _execute(spec: dict[str, Any]) -> NoReturn:
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGPIPE, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.chdir(spec["cwd"] or "/")
    os.execvpe(spec["argv"][0], spec["argv"], spec["env"])  # noqa: S606


def _wait(child: int) -> int:
    """Hand the signal to end on to the command, and answer its exit code as a shell would."""
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else 128 - code


def _report(descriptor: int, text: str) -> None:
    os.write(descriptor, text.encode(errors="replace") + b"\n")


def _run(spec: dict[str, Any], report: int) -> int:
    user_namespace = os.geteuid() != 0
    user, group = os.geteuid(), os.getegid()
    _check(_libc.unshare(_NEWNS | _NEWPID | _NEWUTS | (_NEWUSER if user_namespace else 0)), "unshare")
    if user_namespace:
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    # The first child is process 1 of the namespace: it collects orphans, and its end is the end of all of them.
    keeper = os.fork()
    if keeper == 0:
        _die_with_parent()
        os.closerange(0, 256)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while True:
            signal.pause()
    child = os.fork()
    if child == 0:
        _die_with_parent()
        os.setsid()
        try:
            _enter_root(spec, user_namespace=user_namespace)
            _execute(spec)
        except OSError as error:
            _report(report, f"error {error}")
            os._exit(128)
    _report(report, f"pid {child}")
    os.close(report)
    code = _wait(child)
    os.kill(keeper, signal.SIGKILL)
    os.waitpid(keeper, 0)
    return code


def _enter(spec: dict[str, Any], report: int, process: int) -> int:
    kinds = (*((("user", _NEWUSER),) if os.geteuid() != 0 else ()), ("uts", _NEWUTS), ("pid", _NEWPID), ("mnt", _NEWNS))
    spaces = [(os.open(f"/proc/{process}/ns/{name}", os.O_RDONLY), flag) for name, flag in kinds]
    for descriptor, flag in spaces:
        _check(_libc.setns(descriptor, flag), "enter the container")
        os.close(descriptor)
    child = os.fork()
    if child == 0:
        _die_with_parent()
        try:
            _execute(spec)
        except OSError as error:
            _report(report, f"error {error}")
            os._exit(126)
    os.close(report)
    return _wait(child)


def main(arguments: Sequence[str]) -> None:
    """``--report FD --parent PID [--enter PID]``."""
    options = dict(zip(arguments[::2], arguments[1::2], strict=True))
    report = int(options["--report"])
    os.set_inheritable(report, False)
    _die_with_parent()
    if os.getppid() != int(options["--parent"]):
        os._exit(128)
    spec = json.load(sys.stdin)
    try:
        code = _enter(spec, report, int(options["--enter"])) if "--enter" in options else _run(spec, report)
    except OSError as error:
        _report(report, f"error {error}")
        code = 128
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1:])
