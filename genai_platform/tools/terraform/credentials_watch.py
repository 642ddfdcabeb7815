"""Ends a Terraform whose AWS credentials have ended: its provider would go on repeating the refused requests for a long time.

EC2's word for it (``RequestExpired``) is one that the AWS SDK takes for a clock that is wrong, and tries again
(hashicorp/terraform-provider-aws#1351, hashicorp/terraform#15618).
"""

from __future__ import annotations

import threading
import time

from genai_platform.engine.step import Progress
from genai_platform.errors import StepError
from genai_platform.tools.aws.client import Aws
from genai_platform.tools.aws.errors import EXPIRED, INVALID, code

EVERY = 30.0
"""Seconds between two looks at the credentials."""


class EndsWithCredentials(Progress):
    """A step's progress that also stops the step when the credentials have ended. A look that fails otherwise says nothing."""

    def __init__(self, progress: Progress, aws: Aws) -> None:
        self._progress, self._aws = progress, aws
        self._due = time.monotonic() + EVERY
        self._refused = ""

    def say(self, text: str) -> None:
        self._progress.say(text)

    def check(self) -> None:
        """Raises ``StepError`` when the credentials have ended, and whatever the step's own progress raises."""
        self._progress.check()
        if self._refused:
            raise StepError(
                f"the AWS credentials have ended while terraform was at work ({self._refused}); it was asked to stop",
                remedy="sign in again, then run the same command: it goes on where it stopped",
                id="aws.expired",
            )
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + EVERY
            # In a thread of its own: a slow network must not keep the program's output from being read.
            threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._aws.client("sts").get_caller_identity()
        except ClientError as error:
            if code(error) in EXPIRED | INVALID:
                self._refused = code(error)
        except BotoCoreError:
            pass
