//! A worker with apalis: a task's id, attempt and queue are the metadata of its job, and its span
//! belongs to the trace that queued it.
//!
//! ```console
//! cargo run --bin queue
//! ```

use apalis::layers::retry::RetryPolicy;
use apalis::layers::tracing::{
    ContextualTaskSpan, MakeSpan as _, OtelTraceContext, TraceLayer, TracingContext,
};
use apalis::prelude::*;
use spanlog::{job, JobMetadata};
use tracing::{info, info_span, warn, Level, Span};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let _guard = spanlog::builder().with_service_name("mailer").install()?;

    let mut storage = MemoryStorage::new();
    let order = info_span!("order").entered();
    let trace = TracingContext::from(OtelTraceContext::current());
    let email = TaskBuilder::new("ann@example.com".to_owned()).queue("emails".into()).metadata(&trace);
    order.exit();
    storage.push_task(email.build()).await?;

    WorkerBuilder::new("mailer")
        .backend(storage)
        .retry(RetryPolicy::retries(2))
        .layer(TraceLayer::new().make_span_with(task_span))
        .build(send)
        .run()
        .await?;
    Ok(())
}

/// A span that is created in a job takes the job to all that is logged in it.
fn task_span(task: &Task<String>) -> Span {
    let id = task.task_id().map(TaskId::to_string).unwrap_or_default();
    let attempt = task.attempt() + 1; // it is counted when it is first polled
    let queue = task.queue().map(|queue| queue.to_string()).unwrap_or_default();
    let job = JobMetadata::new(id.clone(), format!("{id}-{attempt}"))
        .with_group(queue)
        .with("task.attempt", attempt.to_string());
    job::scope(job, || ContextualTaskSpan::new().level(Level::INFO).make_span(task))
}

async fn send(to: String, attempt: Attempt, worker: WorkerContext) -> Result<(), BoxDynError> {
    if attempt.current() < 2 {
        warn!(to, "the mail server is busy");
        return Err("busy".into());
    }
    info!(to, "sent");
    worker.stop()?; // an example ends
    Ok(())
}
