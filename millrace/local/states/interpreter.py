# ruff: noqa: E402
"""Everything of moto's interpreter that this package uses, in one place: the surface to look at before an upgrade."""

from __future__ import annotations

import sys
from enum import StrEnum
from types import ModuleType


class JobStatus(StrEnum):
    """The states of an AWS Batch job."""

    SUBMITTED = "SUBMITTED"
    PENDING = "PENDING"
    RUNNABLE = "RUNNABLE"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"


# For this one enum the interpreter imports moto.batch, which imports all of moto's EC2: a second or more, for nothing.
_spared = "moto.batch.utils" not in sys.modules
if _spared:
    sys.modules["moto.batch.utils"] = ModuleType("moto.batch.utils")
    sys.modules["moto.batch.utils"].JobStatus = JobStatus  # type: ignore[attr-defined]
from moto.stepfunctions.parser import quotas
from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.antlt4utils import antlr4utils
from moto.stepfunctions.parser.asl.component.common.catch.catch_outcome import CatchOutcome
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.error_equals_decl import ErrorEqualsDecl
from moto.stepfunctions.parser.asl.component.common.error_name.error_name import ErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.path.result_path import ResultPath
from moto.stepfunctions.parser.asl.component.common.retry.max_attempts_decl import MaxAttemptsOutcome
from moto.stepfunctions.parser.asl.component.common.retry.retrier_decl import RetrierDecl
from moto.stepfunctions.parser.asl.component.common.retry.retrier_outcome import RetrierOutcome
from moto.stepfunctions.parser.asl.component.common.retry.retry_outcome import RetryOutcome
from moto.stepfunctions.parser.asl.component.common.string.string_expression import StringIntrinsicFunction
from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import EvalTimeoutError, TimeoutSeconds
from moto.stepfunctions.parser.asl.component.eval_component import EvalComponent
from moto.stepfunctions.parser.asl.component.intrinsic import jsonata as jsonata_functions
from moto.stepfunctions.parser.asl.component.intrinsic.function.statesfunction.generic.string_format import (
    StringFormat,
)
from moto.stepfunctions.parser.asl.component.intrinsic.function.statesfunction.json_manipulation.json_to_string import (
    JsonToString,
)
from moto.stepfunctions.parser.asl.component.program.program import Program
from moto.stepfunctions.parser.asl.component.state.choice.comparison.comparison_func import (
    ComparisonFuncStringVariableSample,
    ComparisonFuncValue,
)
from moto.stepfunctions.parser.asl.component.state.choice.comparison.comparison_operator_type import (
    ComparisonOperatorType,
)
from moto.stepfunctions.parser.asl.component.state.choice.comparison.comparison_variable import (
    ComparisonVariable,
)
from moto.stepfunctions.parser.asl.component.state.choice.state_choice import StateChoice
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.inline_iteration_component import (
    InlineIterationComponent,
    InlineIterationComponentEvalInput,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor import (
    inline_item_processor_worker,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.state_map import StateMap
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel.branches_decl import BranchesDecl
from moto.stepfunctions.parser.asl.component.state.exec.state_parallel.state_parallel import StateParallel
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils, mock_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.credentials import StateCredentials
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import (
    ResourceCondition,
    ResourceRuntimePart,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service import (
    StateTaskService,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_aws_sdk import (
    StateTaskServiceAwsSdk,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_callback import (
    StateTaskServiceCallback,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_dynamodb import (
    StateTaskServiceDynamoDB,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_events import (
    StateTaskServiceEvents,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_lambda import (
    StateTaskServiceLambda,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_sfn import (
    StateTaskServiceSfn,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_sns import (
    StateTaskServiceSns,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_sqs import (
    StateTaskServiceSqs,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task import StateTask
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task_lambda import StateTaskLambda
from moto.stepfunctions.parser.asl.component.state.fail.state_fail import StateFail
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.timestamp import Timestamp
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.eval.callback.callback import (
    CallbackEndpoint,
    CallbackOutcome,
    CallbackOutcomeFailure,
    CallbackOutcomeSuccess,
    CallbackPoolManager,
    HeartbeatTimeoutError,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.evaluation_details import AWSExecutionDetails
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext
from moto.stepfunctions.parser.asl.eval.program_state import (
    ProgramEnded,
    ProgramError,
    ProgramState,
    ProgramStopped,
    ProgramTimedOut,
)
from moto.stepfunctions.parser.asl.eval.variable_store import VariableStore
from moto.stepfunctions.parser.asl.jsonata import jsonata as jsonata_language
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser, ASLParserException
from moto.stepfunctions.parser.asl.parse.intrinsic.intrinsic_parser import IntrinsicParser
from moto.stepfunctions.parser.asl.parse.intrinsic.preprocessor import Preprocessor as IntrinsicPreprocessor
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor
from moto.stepfunctions.parser.asl.utils import boto_client, encoding, json_path
from moto.stepfunctions.parser.asl.utils.json_path import NoSuchJsonPathError
from moto.stepfunctions.parser.mocking.mock_config import (
    MockedResponse,
    MockedResponseReturn,
    MockedResponseThrow,
)

if _spared:
    del sys.modules["moto.batch.utils"]

__all__ = [
    "ASLParserException",
    "AWSExecutionDetails",
    "AmazonStateLanguageParser",
    "BranchesDecl",
    "CallbackEndpoint",
    "CallbackOutcome",
    "CallbackOutcomeFailure",
    "CallbackOutcomeSuccess",
    "CallbackPoolManager",
    "CatchOutcome",
    "CommonStateField",
    "ComparisonFuncStringVariableSample",
    "ComparisonFuncValue",
    "ComparisonOperatorType",
    "ComparisonVariable",
    "CustomErrorName",
    "Environment",
    "ErrorEqualsDecl",
    "ErrorName",
    "EvalComponent",
    "EvalTimeoutError",
    "EventHistoryContext",
    "ExecutionState",
    "FailureEvent",
    "FailureEventException",
    "HeartbeatTimeoutError",
    "HistoryEventType",
    "InlineIterationComponent",
    "InlineIterationComponentEvalInput",
    "IntrinsicParser",
    "IntrinsicPreprocessor",
    "JsonToString",
    "MaxAttemptsOutcome",
    "MockedResponse",
    "MockedResponseReturn",
    "MockedResponseThrow",
    "NoSuchJsonPathError",
    "Preprocessor",
    "Program",
    "ProgramEnded",
    "ProgramError",
    "ProgramState",
    "ProgramStopped",
    "ProgramTimedOut",
    "ResourceCondition",
    "ResourceRuntimePart",
    "ResultPath",
    "RetrierDecl",
    "RetrierOutcome",
    "RetryOutcome",
    "StateChoice",
    "StateCredentials",
    "StateFail",
    "StateMap",
    "StateParallel",
    "StateTask",
    "StateTaskLambda",
    "StateTaskService",
    "StateTaskServiceAwsSdk",
    "StateTaskServiceCallback",
    "StateTaskServiceDynamoDB",
    "StateTaskServiceEvents",
    "StateTaskServiceLambda",
    "StateTaskServiceSfn",
    "StateTaskServiceSns",
    "StateTaskServiceSqs",
    "StringFormat",
    "StringIntrinsicFunction",
    "TimeoutSeconds",
    "Timestamp",
    "VariableStore",
    "WaitFunction",
    "antlr4utils",
    "boto_client",
    "encoding",
    "inline_item_processor_worker",
    "json_path",
    "jsonata_functions",
    "jsonata_language",
    "lambda_eval_utils",
    "mock_eval_utils",
    "quotas",
]
