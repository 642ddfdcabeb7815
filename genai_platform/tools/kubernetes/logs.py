"""Container logs, line by line: what was written, and what is being written by many pods at once.

The API: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#get-read-log-of-the-specified-pod
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self

from genai_platform.errors import Invalid, NotFound, ServiceFailed, Throttled, Unreachable

if TYPE_CHECKING:
    import urllib3

    from genai_platform.tools.kubernetes.client import Document, Documents, Kube

LONGEST = 1 << 20
"""Bytes of the longest line that is shown: a line is kept whole until its secrets are hidden."""
TOO_LONG = f"(a line of more than {LONGEST} bytes)"
_PAUSE = 2.0
"""Seconds between two looks at the list of pods, and before a log that ended is opened again."""
_WAITING = 1000
"""Lines that wait to be shown; after that reading waits, too."""
_PASSING = (Invalid, NotFound, ServiceFailed, Throttled, Unreachable)


@dataclass(frozen=True)
class Line:
    """One line of a pod's log, or something about the pod."""

    pod: str
    text: str
    time: str = ""
    """When it was written, RFC 3339; empty of a note."""
    note: bool = False
    """Not the pod's words, but about it: it began, waits, ended."""


def container_of(pod: Document) -> str:
    """The container that ``kubectl logs`` shows, too: the one that an annotation names, else the first."""
    named = (pod["metadata"].get("annotations") or {}).get("kubectl.kubernetes.io/default-container")
    return str(named or pod["spec"]["containers"][0]["name"])


def status_of(pod: Document, container: str) -> dict[str, Any]:
    """The status of a container; empty where its pod was not started yet."""
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    return next((one for one in statuses if one["name"] == container), {})


def has_previous(pod: Document, container: str) -> bool:
    """Whether the container ran before the run that goes on: what the kubelet asks, too, for ``previous``."""
    return bool((status_of(pod, container).get("lastState") or {}).get("terminated"))


def read(kube: Kube, pod: Document, namespace: str, *, tail: int, previous: bool = False) -> str:
    """The last lines of a pod's container. Errors as ``Kube.open_log`` has them."""
    query = {"container": container_of(pod), "tailLines": str(tail), **({"previous": "true"} if previous else {})}
    with kube.open_log(pod["metadata"]["name"], namespace, query) as response:
        return response.data.decode("utf-8", "replace")


class Follow:
    """The lines of many pods as they are written: a context manager, and inside an iterator that has no end.

    Args:
        chosen: whether a pod of this name is followed; new ones are, too, from their first line.
        pods: those that exist.
        tail: with how many lines each of those begins.

    Raises:
        StepError: the API does not let this identity read. What passes (no answer for a while) is told in a note.
    """

    def __init__(self, kube: Kube, namespace: str, chosen: Callable[[str], bool], pods: Documents, tail: int) -> None:
        self._kube, self._namespace, self._chosen, self._pods, self._tail = kube, namespace, chosen, pods, tail
        # Ctrl-C comes in the middle of `get`: a `Queue` may then stay locked, or raise `RuntimeError`.
        self._lines: SimpleQueue[Line | BaseException] = SimpleQueue()
        self._room = threading.Semaphore(_WAITING)
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self._open: set[urllib3.BaseHTTPResponse] = set()

    def __enter__(self) -> Self:
        for pod in self._pods:
            self._start(partial(self._pod, pod, self._tail))
        self._start(self._watch)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for response in list(self._open):
            with suppress(OSError, ValueError, RuntimeError):
                response.shutdown()
        for thread in self._threads:
            thread.join(0.2)

    def __iter__(self) -> Iterator[Line]:
        while True:
            found = self._lines.get()
            self._room.release()
            if isinstance(found, BaseException):
                raise found
            yield found

    def _start(self, work: Callable[[], None]) -> None:
        def run() -> None:
            try:
                work()
            except _Ended:
                pass
            except BaseException as error:
                with suppress(_Ended):
                    self._put(error)

        thread = threading.Thread(target=run, name="logs", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _put(self, found: Line | BaseException) -> None:
        while not self._ended.is_set():
            if self._room.acquire(timeout=_PAUSE):
                self._lines.put(found)
                return
        raise _Ended

    def _tell(self, pod: str, note: str, before: str) -> str:
        """Say something about a pod, where it was not just said."""
        if note and note != before:
            self._put(Line(pod, note, note=True))
        return note

    def _pause(self) -> None:
        if self._ended.wait(_PAUSE):
            raise _Ended

    def _watch(self) -> None:
        """Begin with each new pod."""
        known, told = {pod["metadata"]["uid"] for pod in self._pods}, ""
        while True:
            self._pause()
            try:
                found, told = self._kube.list("v1", "Pod", self._namespace), ""
            except _PASSING as error:
                told = self._tell("", error.message, told)
                continue
            for pod in found:
                name, uid = str(pod["metadata"]["name"]), pod["metadata"]["uid"]
                if self._chosen(name) and uid not in known:
                    known.add(uid)
                    self._put(Line(name, "new pod", note=True))
                    self._start(partial(self._pod, pod, None))

    def _pod(self, pod: Document, tail: int | None) -> None:
        """The lines of one pod, over the restarts of its container, until it ends."""
        name, uid, container = str(pod["metadata"]["name"]), pod["metadata"]["uid"], container_of(pod)
        seen, told = _Seen(), ""
        while True:
            fault = ""
            try:
                for time, text in self._written(name, seen.query(container, tail)):
                    if seen.is_new(time):
                        self._put(Line(name, text, time))
            except _PASSING as error:
                fault = error.message
            try:
                now = self._kube.get("v1", "Pod", name, self._namespace)
            except _PASSING as error:
                ended, said = False, error.message
            else:
                # What the pod does says more than why its log could not be read.
                ended, said = state(now if now and now["metadata"]["uid"] == uid else None, container)
                said = said or fault
            told = self._tell(name, said, told)
            if ended:
                return
            self._pause()

    def _written(self, name: str, query: dict[str, str]) -> Iterator[tuple[str, str]]:
        with self._kube.open_log(name, self._namespace, query) as response:
            self._open.add(response)
            try:
                yield from whole_lines(response.stream())
            finally:
                self._open.discard(response)


class _Ended(Exception):
    """Nobody listens any more."""


class _Seen:
    """How far a log was read, so that the next request goes on there: several lines may have one time."""

    def __init__(self) -> None:
        self.time, self._count = "", 0
        self._skip = 0

    def query(self, container: str, tail: int | None) -> dict[str, str]:
        """The next request; only the first one is for a tail."""
        self._skip = self._count
        begin = {"sinceTime": self.time} if self.time else {"tailLines": str(tail)} if tail is not None else {}
        return {"container": container, "follow": "true", "timestamps": "true", **begin}

    def is_new(self, time: str) -> bool:
        """Whether a line was not read before. The API goes back to whole seconds."""
        if time < self.time:
            return False
        if time > self.time:
            self.time, self._count, self._skip = time, 1, 0
            return True
        if self._skip:
            self._skip -= 1
            return False
        self._count += 1
        return True


def whole_lines(pieces: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    """Time and text of each line of a log with timestamps, however it was cut on its way. One that is too long is left out."""
    rest, cut = b"", False
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield _timed(line, cut)
            cut = False
        if len(rest) > LONGEST:
            # Its time is kept.
            rest, cut = rest.partition(b" ")[0][:64] + b" ", True
    if rest:
        yield _timed(rest, cut)


def _timed(line: bytes, cut: bool) -> tuple[str, str]:
    time, _, text = line.partition(b" ")
    return time.decode("utf-8", "replace"), TOO_LONG if cut or len(line) > LONGEST else text.decode("utf-8", "replace")


def state(pod: Document | None, container: str) -> tuple[bool, str]:
    """Whether a pod has ended, and in words what its container does where it does not run."""
    if pod is None:
        return True, "the pod is gone"
    found = status_of(pod, container)
    now, phase = found.get("state") or {}, pod.get("status", {}).get("phase")
    over = now.get("terminated")
    ended = phase in ("Succeeded", "Failed") or bool(over and pod["metadata"].get("deletionTimestamp"))
    if over:
        return ended, f"{'the pod' if ended else 'the container'} ended: {over.get('reason', phase)}, exit code {over['exitCode']}"
    if ended:
        return True, f"the pod ended: {pod['status'].get('reason') or phase}"
    if now.get("running"):
        return False, ""
    last = (found.get("lastState") or {}).get("terminated")
    said = f"waiting: {(now.get('waiting') or {}).get('reason') or phase or 'Pending'}"
    return False, said + (f" (its last run ended with exit code {last['exitCode']})" if last else "")
