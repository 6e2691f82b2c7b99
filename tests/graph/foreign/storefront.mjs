// A service that fails, with the JavaScript SDK: storefront.mjs ENDPOINT json|proto.
import { SpanKind, SpanStatusCode, context, trace } from '@opentelemetry/api';
import { SeverityNumber } from '@opentelemetry/api-logs';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as ProtoExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';

const [endpoint, form] = process.argv.slice(2);
const resource = resourceFromAttributes({ 'service.name': 'storefront' });
const Exporter = { json: JsonExporter, proto: ProtoExporter }[form];
const spans = new BasicTracerProvider({
  resource,
  spanProcessors: [new BatchSpanProcessor(new Exporter({ url: `${endpoint}/v1/traces` }))],
});
const logExporter = new OTLPLogExporter({ url: `${endpoint}/v1/logs` });
const records = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor({ exporter: logExporter })] });
const tracer = spans.getTracer('storefront', '2.0');
const start = (name, parent, options) => {
  const span = tracer.startSpan(name, options, parent);
  return [span, trace.setSpan(parent, span)];
};

const [page, inPage] = start('GET /cart', context.active(), { kind: SpanKind.SERVER });
page.setAttributes({ 'http.request.method': 'GET', items: ['a', 'b'], total: 9.5, express: true });
const [fetching, inFetching] = start('fetch prices', inPage, { kind: SpanKind.CLIENT });
fetching.addEvent('attempt', { number: 1 });
const error = new TypeError('prices is undefined', { cause: new Error('the cache is empty') });
fetching.recordException(error);
fetching.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
records.getLogger('storefront').emit({
  severityNumber: SeverityNumber.WARN,
  body: 'prices are missing',
  attributes: { items: 2, sizes: { small: 1 } },
  context: inFetching,
});
fetching.end();
const [note, inNote] = start('queue note', inPage, { kind: SpanKind.PRODUCER });
note.end();
start('render', inPage)[0].end();
page.end();
const links = [{ context: trace.getSpanContext(inNote), attributes: { 'messaging.operation': 'process' } }];
start('send note', context.active(), { kind: SpanKind.CONSUMER, links })[0].end();

await spans.shutdown();
await records.shutdown();
