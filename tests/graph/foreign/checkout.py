"""A service that fails, with the Python SDK: checkout.py ENDPOINT COMPRESSION."""

import logging
import sys

from opentelemetry import trace
from opentelemetry._logs import set_logger_provider
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode

endpoint, compression = sys.argv[1], Compression(sys.argv[2])
resource = Resource({"service.name": "checkout"})
spans = TracerProvider(resource=resource)
spans.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces", compression=compression)))
records = LoggerProvider(resource=resource)
records.add_log_record_processor(
    BatchLogRecordProcessor(OTLPLogExporter(f"{endpoint}/v1/logs", compression=compression))
)
set_logger_provider(records)
logger = logging.getLogger("checkout")
logger.addHandler(LoggingHandler(logger_provider=records))
tracer = spans.get_tracer("checkout", "1.0")


def charge(amount):
    try:
        raise ConnectionError("the bank hung up")
    except ConnectionError as cause:
        raise ValueError(f"no charge of {amount} €") from cause


with tracer.start_as_current_span("POST /checkout", kind=SpanKind.SERVER) as root:
    root.set_attributes({"http.request.method": "POST", "items": [1, 2], "total": 9.5, "express": True})
    with tracer.start_as_current_span("publish order", kind=SpanKind.PRODUCER) as order:
        order.add_event("queued", {"queue.length": 3})
    with tracer.start_as_current_span("charge card", kind=SpanKind.CLIENT, record_exception=False) as card:
        card.add_event("attempt", {"number": 1})
        try:
            charge(950)
        except ValueError as error:
            card.record_exception(error, {"retryable": False})
            card.set_status(Status(StatusCode.ERROR, str(error)))
            logger.exception("card %s was refused", "…1234", extra={"amount": 950})
    with tracer.start_as_current_span("total"):
        pass

link = Link(order.get_span_context(), {"messaging.operation": "process"})
with tracer.start_as_current_span("process order", kind=SpanKind.CONSUMER, links=[link]):
    pass

spans.shutdown()
records.shutdown()
