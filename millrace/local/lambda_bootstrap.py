"""What runs inside an emulated execution environment: AWS's Python runtime, as far as a function can tell.

Started by `millrace.local.lambda_environment` as `python -I -S lambda_bootstrap.py`, so it knows the standard library
only and must not import anything of Millrace. The first line on stdin says how to start, each further line is one
invocation; answers go to a pipe of their own, one JSON line each, because stdout and stderr are the function's log.
"""

import decimal
import importlib
import importlib.abc
import importlib.machinery
import json
import logging
import os
import queue
import sys
import threading
import time
import traceback

HOST_FAILED = 70


class RuntimePackages(importlib.abc.MetaPathFinder):
    """Offers the packages that AWS's runtime brings (boto3 and what it needs) and no other of the host's."""

    def __init__(self, folder, names):
        self._folder = folder
        self._names = frozenset(names)

    def find_spec(self, fullname, path=None, target=None):
        if path is not None or fullname not in self._names:
            return None
        return importlib.machinery.PathFinder.find_spec(fullname, [self._folder], target)


class Context:
    """The second argument of a handler, with the attributes that AWS documents."""

    def __init__(self, request_id, function_arn, deadline):
        self.aws_request_id = request_id
        self.invoked_function_arn = function_arn
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.client_context = None
        self.identity = None
        self._deadline = deadline

    def get_remaining_time_in_millis(self):
        return max(0, int((self._deadline - time.time()) * 1000))

    def log(self, message):
        sys.stdout.write(str(message))


class RequestIds(logging.Filter):
    """Puts the running invocation's id on every record, as AWS's log lines have it."""

    current = ""

    def filter(self, record):
        record.aws_request_id = RequestIds.current
        return True


class JsonLines(logging.Formatter):
    """The shape of AWS's log lines when a function's log format is JSON."""

    def format(self, record):
        line = {
            "timestamp": self.formatTime(record, "%Y-%m-%dT%H:%M:%SZ"),
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": record.aws_request_id,
        }
        if record.exc_info:
            line["stackTrace"] = traceback.format_exception(*record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def install_log_handler():
    """AWS's runtime gives the root logger a handler, so that `logging.warning` reaches the log without set-up."""
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(RequestIds())
    formatter = logging.Formatter(
        "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S"
    )
    if os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON":
        formatter = JsonLines()
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    logging.getLogger().addHandler(handler)
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    if level in logging.getLevelNamesMapping():
        logging.getLogger().setLevel(level)


def load(handler):
    """The handler's function, or the fault that AWS's runtime reports when it cannot be had: (function, fault)."""
    module_name, dot, name = handler.rpartition(".")
    if not dot:
        said = f"Bad handler '{handler}': not enough values to unpack (expected 2, got 1)"
        return None, fault(said, "Runtime.MalformedHandlerName")
    module_name = module_name.replace("/", ".")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        return None, fault(f"Unable to import module '{module_name}': {error}", "Runtime.ImportModuleError")
    except SyntaxError as error:
        trace = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        return None, fault(f"Syntax error in module '{module_name}': {error}", "Runtime.UserCodeSyntaxError", trace)
    except Exception as error:
        return None, fault_of(error)
    function = getattr(module, name, None)
    if function is None:
        return None, fault(f"Handler '{name}' missing on module '{module_name}'", "Runtime.HandlerNotFound")
    return function, None


def fault(message, kind, trace=()):
    return {
        "errorMessage": message,
        "errorType": kind,
        "requestId": RequestIds.current,
        "stackTrace": list(trace),
    }


def fault_of(error):
    """The fault of an exception that the function raised; its class's name is what Retry and Catch match on."""
    own_frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    return fault(str(error), type(error).__name__, traceback.format_list(own_frames))


def log_fault(told):
    trace = "".join(told["stackTrace"])
    called = "Traceback (most recent call last):\n" if trace else ""
    print(f"[ERROR] {told['errorType']}: {told['errorMessage']}\n{called}{trace}", flush=True)


def invoke(function, message):
    """Run one invocation; the answer is `{"result": JSON text}` or `{"fault": {...}}`."""
    RequestIds.current = message["requestId"]
    os.environ["_X_AMZN_TRACE_ID"] = message["traceId"]
    context = Context(message["requestId"], message["functionArn"], message["deadline"])
    try:
        result = function(message["event"], context)
    except BaseException as error:
        if isinstance(error, SystemExit | KeyboardInterrupt):
            raise
        answer = {"fault": fault_of(error)}
    else:
        try:
            answer = {"result": json.dumps(result, ensure_ascii=False, default=plain)}
        except (TypeError, ValueError, RecursionError) as error:
            answer = {"fault": fault(f"Unable to marshal response: {error}", "Runtime.MarshalError")}
    if "fault" in answer:
        log_fault(answer["fault"])
    return answer


def plain(value):
    if isinstance(value, decimal.Decimal):
        return float(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def listen(messages):
    """Hand on what the host sends. When the host is gone nobody waits for an answer: end, whatever is running."""
    for line in sys.stdin:
        messages.put(json.loads(line))
    os._exit(HOST_FAILED)


def main():
    start = json.loads(sys.stdin.readline())
    answers = os.fdopen(start["answers"], "w", encoding="utf-8")
    sys.path[:0] = start["path"]
    if start["offered"] is None:
        sys.path.append(start["installed"])
    else:
        sys.meta_path.append(RuntimePackages(start["installed"], start["offered"]))

    def send(answer):
        sys.stdout.flush()
        sys.stderr.flush()
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    messages: queue.SimpleQueue = queue.SimpleQueue()
    threading.Thread(target=listen, args=(messages,), daemon=True).start()
    install_log_handler()
    function, failed = load(os.environ["_HANDLER"])
    if failed:
        log_fault(failed)
        send({"fault": failed})
        return
    send({"ready": True})
    while True:
        send(invoke(function, messages.get()))


if __name__ == "__main__":
    main()
