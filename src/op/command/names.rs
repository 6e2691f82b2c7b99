//! The name and attributes of an op, derived from its command.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

use opentelemetry::{Array, KeyValue, StringValue, Value};
use opentelemetry_semantic_conventions::attribute as semconv;

/// The operation of a command without a recognisable subcommand.
const UNNAMED: &str = "run";

/// A longer argument may be a script or a secret, which must not become a span name.
const MAX_OPERATION_BYTES: usize = 32;

pub(crate) fn tool(program: &OsStr) -> String {
    let stem = Path::new(program).file_stem().unwrap_or(program);
    stem.to_string_lossy().into_owned()
}

pub(crate) fn operation<'a>(args: impl Iterator<Item = &'a OsStr>) -> String {
    for arg in args {
        match arg.to_str() {
            Some(arg) if is_subcommand(arg) => return arg.to_owned(),
            // `-chdir=infra plan`: this flag includes its value. Any other may take the next
            // argument.
            Some(arg) if arg.starts_with('-') && arg.contains('=') => {}
            _ => break,
        }
    }
    UNNAMED.to_owned()
}

fn is_subcommand(arg: &str) -> bool {
    arg.len() <= MAX_OPERATION_BYTES
        && arg.starts_with(|first: char| first.is_ascii_alphabetic())
        && arg.chars().all(|char| char.is_ascii_alphanumeric() || matches!(char, '-' | '_'))
}

/// The `process.*` attributes that are known before the child starts, so that samplers see them.
pub(crate) fn attributes(command: &Command, has_args: bool) -> impl Iterator<Item = KeyValue> + use<> {
    let program = command.get_program();
    let name = Path::new(program).file_name().unwrap_or(program);
    let args = has_args.then(|| {
        let args = std::iter::once(program).chain(command.get_args()).map(lossy);
        KeyValue::new(semconv::PROCESS_COMMAND_ARGS, Value::Array(Array::String(args.collect())))
    });
    std::iter::once(KeyValue::new(semconv::PROCESS_EXECUTABLE_NAME, lossy(name))).chain(args)
}

fn lossy(text: &OsStr) -> StringValue {
    text.to_string_lossy().into_owned().into()
}
