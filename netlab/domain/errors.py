"""The error catalogue: every mistake that netlab explains to a person, with code, HTTP status, message and hint.

Every layer raises `NetlabError`; the web side turns it into the one JSON shape or page, the host side into a
`CommandFailed` event. A bug is never a `NetlabError`: it keeps its traceback and gets an id instead.
"""

from enum import StrEnum
from typing import Any

from pydantic import BaseModel


class ErrorCode(StrEnum):
    # whoever asks
    NOT_SIGNED_IN = "not_signed_in"
    NOT_FOUND = "not_found"  # also "not yours": strangers learn nothing
    NOT_ALLOWED = "not_allowed"
    WRONG_PASSWORD = "wrong_password"
    CSRF = "csrf"
    TOO_MANY_TRIES = "too_many_tries"
    TOO_OFTEN = "too_often"
    BAD_INPUT = "bad_input"
    # joining a workshop
    UNKNOWN_CODE = "unknown_code"
    WORKSHOP_NOT_OPEN = "workshop_not_open"
    WORKSHOP_CLOSED = "workshop_closed"
    WORKSHOP_FULL = "workshop_full"
    RESUME_LINK_EXPIRED = "resume_link_expired"
    # labs
    LAB_INVALID = "lab_invalid"
    LAB_UNKNOWN = "lab_unknown"
    LAB_CANNOT_RUN_HERE = "lab_cannot_run_here"
    LAB_CHANGED = "lab_changed"
    # runs
    RUN_NOT_RUNNING = "run_not_running"
    RUN_STATE = "run_state"
    RUN_ALREADY_ACTIVE = "run_already_active"
    RUN_TIME_LIMIT = "run_time_limit"
    HOST_AWAY = "host_away"
    START_FAILED = "start_failed"
    RUN_LOST = "run_lost"
    RUN_BROKEN = "run_broken"
    RUN_SILENT = "run_silent"
    CANNOT_PAUSE = "cannot_pause"
    CANNOT_IMPAIR = "cannot_impair"
    CANNOT_CAPTURE = "cannot_capture"
    CAPTURE_UNKNOWN = "capture_unknown"
    CANNOT_TRACE = "cannot_trace"
    TRACE_UNKNOWN = "trace_unknown"
    NODE_UNKNOWN = "node_unknown"
    STEP_UNKNOWN = "step_unknown"
    # files and programs
    FILE_UNKNOWN = "file_unknown"
    FILE_CONFLICT = "file_conflict"
    FILE_TOO_LARGE = "file_too_large"
    FILES_FULL = "files_full"
    PROGRAM_UNKNOWN = "program_unknown"
    BUILD_TIMEOUT = "build_timeout"
    CANNOT_FORMAT = "cannot_format"
    LOAD_TIMEOUT = "load_timeout"
    # terminals
    TERMINAL_UNKNOWN = "terminal_unknown"
    TERMINALS_FULL = "terminals_full"
    TERMINAL_FAILED = "terminal_failed"
    # wire
    BAD_MESSAGE = "bad_message"
    COMMAND_STALE = "command_stale"
    # ours
    BUG = "bug"


class ErrorKind(BaseModel):
    """What the catalogue knows about a code. `message` and `hint` are format strings over the error's data."""

    status: int
    message: str
    hint: str = ""


CATALOGUE: dict[ErrorCode, ErrorKind] = {
    ErrorCode.NOT_SIGNED_IN: ErrorKind(status=401, message="You are not signed in.", hint="Open your join link or your personal link again, or sign in."),
    ErrorCode.NOT_FOUND: ErrorKind(status=404, message="There is no such {what}.", hint="It may have ended, or the link is incomplete."),
    ErrorCode.NOT_ALLOWED: ErrorKind(status=403, message="You may not {what}.", hint="Ask the instructor of this workshop."),
    ErrorCode.WRONG_PASSWORD: ErrorKind(status=403, message="Name and password do not match.", hint="The operator finds the first password with `make password`."),
    ErrorCode.CSRF: ErrorKind(status=403, message="This page is too old to send that.", hint="Reload the page and try again."),
    ErrorCode.TOO_MANY_TRIES: ErrorKind(status=429, message="Too many wrong tries.", hint="Wait {retry_after_s} seconds."),
    ErrorCode.TOO_OFTEN: ErrorKind(status=429, message="That was asked for too often.", hint="Wait {retry_after_s} seconds, then try again."),
    ErrorCode.BAD_INPUT: ErrorKind(status=422, message="{what}", hint="{fix}"),
    ErrorCode.UNKNOWN_CODE: ErrorKind(status=404, message="No workshop has this code.", hint="Codes have 8 letters and digits, like k7rt-9x2m; compare it with the one on the screen."),
    ErrorCode.WORKSHOP_NOT_OPEN: ErrorKind(status=403, message="This workshop is not open yet.", hint="It opens {opens}."),
    ErrorCode.WORKSHOP_CLOSED: ErrorKind(status=403, message="This workshop is over.", hint="Ask the instructor whether it can be opened again."),
    ErrorCode.WORKSHOP_FULL: ErrorKind(status=409, message="All {seats} seats of this workshop are taken.", hint="The instructor can add seats."),
    ErrorCode.RESUME_LINK_EXPIRED: ErrorKind(status=403, message="This personal link no longer works.", hint="Ask the instructor for a new one, or join again with the workshop's code as somebody new."),
    ErrorCode.LAB_INVALID: ErrorKind(status=422, message="{where}: {what}", hint="{fix}"),
    ErrorCode.LAB_UNKNOWN: ErrorKind(status=404, message="There is no lab named {lab}.", hint="{fix}"),
    ErrorCode.LAB_CANNOT_RUN_HERE: ErrorKind(status=409, message="This lab cannot run here: {why}.", hint="{fix}"),
    ErrorCode.LAB_CHANGED: ErrorKind(status=409, message="The lab's author has changed it since you started it.", hint="Stop it and start it again; your files are kept."),
    ErrorCode.RUN_NOT_RUNNING: ErrorKind(status=409, message="The lab is not running.", hint="Press Start; Resume, when it is paused; Reset, when it is broken."),
    ErrorCode.RUN_STATE: ErrorKind(status=409, message="A lab that is {state} cannot become {wanted}.", hint="Wait a moment, or reload the page."),
    ErrorCode.RUN_ALREADY_ACTIVE: ErrorKind(status=409, message="You already have a running lab: {lab}.", hint="Stop it first; your files are kept."),
    ErrorCode.RUN_TIME_LIMIT: ErrorKind(status=409, message="The time of this lab cannot be extended further.", hint="The instructor can extend the workshop."),
    ErrorCode.HOST_AWAY: ErrorKind(status=503, message="The machine that runs the labs does not answer.", hint="It is tried again by itself; the operator sees why with `make status`."),
    ErrorCode.START_FAILED: ErrorKind(status=500, message="The lab could not be started: {why}.", hint="Press Start again; if it fails again, tell the instructor the id {id}."),
    ErrorCode.RUN_LOST: ErrorKind(status=500, message="The lab was lost: {why}.", hint="Press Start; your files are kept."),
    ErrorCode.RUN_BROKEN: ErrorKind(status=409, message="Your lab's own kernel is not there any more: {why}.", hint="Press Reset: it is back in a second, your files are kept."),
    ErrorCode.RUN_SILENT: ErrorKind(status=504, message="Your lab's own kernel did not answer within {limit_s} seconds.", hint="It may be busy: try again in a moment, or press Reset."),
    ErrorCode.CANNOT_PAUSE: ErrorKind(status=409, message="This lab cannot be paused: {why}.", hint="It runs on until its time is over, or until you stop it."),
    ErrorCode.CANNOT_IMPAIR: ErrorKind(status=409, message="The link of {node}:{interface} cannot be impaired: {why}.", hint="{fix}"),
    ErrorCode.CANNOT_CAPTURE: ErrorKind(status=409, message="Packets of {node}:{interface} cannot be captured: {why}.", hint="{fix}"),
    ErrorCode.CAPTURE_UNKNOWN: ErrorKind(status=404, message="This capture is not there any more.", hint="A lab keeps its last six; begin a new one."),
    ErrorCode.CANNOT_TRACE: ErrorKind(status=409, message="This lab cannot be traced: {why}.", hint="{fix}"),
    ErrorCode.TRACE_UNKNOWN: ErrorKind(status=404, message="This trace is not there any more.", hint="A lab keeps its last one; begin a new one."),
    ErrorCode.NODE_UNKNOWN: ErrorKind(status=404, message="This lab has no node named {node}.", hint="Its nodes are {nodes}."),
    ErrorCode.STEP_UNKNOWN: ErrorKind(status=404, message="This lab has no step named {step}.", hint="Its steps are {steps}."),
    ErrorCode.FILE_UNKNOWN: ErrorKind(status=404, message="There is no file {path}.", hint="Its files are {paths}."),
    ErrorCode.FILE_CONFLICT: ErrorKind(status=409, message="{path} was changed elsewhere in the meantime.", hint="Compare both versions; nothing was lost."),
    ErrorCode.FILE_TOO_LARGE: ErrorKind(status=413, message="{path} is larger than {limit_kib} KiB.", hint="Files here are source code; keep data in the node's home."),
    ErrorCode.FILES_FULL: ErrorKind(status=507, message="The folder /lab is full.", hint="Delete what you do not need: it holds {limit_mib} MiB."),
    ErrorCode.PROGRAM_UNKNOWN: ErrorKind(status=404, message="This lab has no program named {program}.", hint="Its programs are {programs}."),
    ErrorCode.BUILD_TIMEOUT: ErrorKind(status=408, message="The compiler was stopped after {limit_s} seconds.", hint="Look for an #include or a macro that expands without end."),
    ErrorCode.CANNOT_FORMAT: ErrorKind(status=422, message="{path} cannot be formatted: {why}.", hint="Your text is as it was."),
    ErrorCode.LOAD_TIMEOUT: ErrorKind(status=408, message="Loading was stopped after {limit_s} seconds.", hint="The program may be too large for the verifier."),
    ErrorCode.TERMINAL_UNKNOWN: ErrorKind(status=404, message="This terminal has ended.", hint="Open a new one with +."),
    ErrorCode.TERMINALS_FULL: ErrorKind(status=409, message="A node has at most {limit} terminals.", hint="Close one first."),
    ErrorCode.TERMINAL_FAILED: ErrorKind(status=500, message="The shell could not be started: {why}.", hint="Reset the node; the id is {id}."),
    ErrorCode.BAD_MESSAGE: ErrorKind(status=400, message="This message is not understood: {what}", hint="Reload the page; it may be older than the server."),
    ErrorCode.COMMAND_STALE: ErrorKind(status=409, message="A newer command has already been carried out.", hint="Reload the page."),
    ErrorCode.BUG: ErrorKind(status=500, message="Something in netlab broke.", hint="Tell the operator the id {id}; it is in the log."),
}


class NetlabError(Exception):
    """A mistake or a refusal that a person is told about: one sentence and a hint.

    `data` fills the catalogue's sentences and goes out as it is, so it never holds secrets.
    """

    def __init__(self, code: ErrorCode, **data: Any) -> None:
        self.code = code
        self.data = data
        super().__init__(self.message)

    @property
    def message(self) -> str:
        return CATALOGUE[self.code].message.format_map(_Forgiving(self.data))

    @property
    def hint(self) -> str:
        return CATALOGUE[self.code].hint.format_map(_Forgiving(self.data))

    @property
    def status(self) -> int:
        return CATALOGUE[self.code].status

    def body(self) -> "ErrorBody":
        return ErrorBody(code=self.code, message=self.message, hint=self.hint, data=self.data)


class _Forgiving(dict[str, Any]):
    """A sentence with a missing word is better than an error about an error."""

    def __missing__(self, key: str) -> str:
        return ""


class ErrorBody(BaseModel):
    """The one shape of every error that leaves netlab, in JSON answers, websocket messages and events."""

    code: ErrorCode
    message: str
    hint: str = ""
    data: dict[str, Any] = {}

    def to_error(self) -> NetlabError:
        return NetlabError(self.code, **self.data)
