//! An agent whose tool calls are ops, under the names of OpenTelemetry's conventions for generative
//! AI.
//!
//! ```console
//! cargo run --bin agent -- "What is the weather in Oslo?"
//! ```

use std::io;

use spanlog::opentelemetry::KeyValue;
use spanlog::{job, op, JobMetadata, Keys};
use tracing::info;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let question = std::env::args().nth(1).unwrap_or_else(|| "What is the weather in Oslo?".to_owned());
    let guard = spanlog::builder().with_service_name("agent").with_keys(Keys::gen_ai()).install()?;

    let conversation = JobMetadata::new("conversation-7", "turn-1").with_executor("forecaster");
    let answer = job::execution(conversation, "turn").run(|| answer(&question));

    drop(guard); // delivers what is pending
    println!("{}", answer?);
    Ok(())
}

fn answer(question: &str) -> io::Result<String> {
    info!(question, "asked");
    let city = question.rsplit(' ').next().unwrap_or_default().trim_end_matches('?');
    // The model chose a tool, with arguments.
    call_tool("get_weather", "call-1", || {
        info!(city, "looking up");
        Ok(format!("It rains in {city}."))
    })
}

/// Runs a tool that the model asked for: a span `get_weather.execute_tool` with the attributes of
/// the conventions.
fn call_tool<T>(tool: &str, id: &str, run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let attributes =
        [KeyValue::new("gen_ai.tool.call.id", id.to_owned()), KeyValue::new("gen_ai.tool.type", "function")];
    op::run(tool, "execute_tool", attributes, run)
}
