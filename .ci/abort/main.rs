//! Logs, ends a span, and panics.

fn main() {
    let directory = std::env::args_os().nth(1).expect("a directory");
    let _guard = spanlog::builder().with_json_lines(directory).install().expect("nothing is installed");
    tracing::info_span!("ended").in_scope(|| tracing::info!("before"));
    panic!("the last words");
}
