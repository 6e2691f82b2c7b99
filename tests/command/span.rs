//! The op's span: its name and attributes. Its parent and its job are in `tests/testing/commands.rs`.

use opentelemetry::KeyValue;
use spanlog::op::Command;

use crate::fixture::{attributes, USUAL};
use crate::support::sh;

#[test]
fn the_span_says_what_ran() {
    let fixture = USUAL.build();
    fixture.block_on(|| sh("echo $$").run()).unwrap();
    let span = fixture.only_span();
    assert_eq!(span.name, "sh.test");
    let attributes = attributes(&span);
    assert_eq!(attributes["nuon.tool"], "sh");
    assert_eq!(attributes["nuon.op"], "test");
    assert_eq!(attributes["process.executable.name"], "sh");
    assert_eq!(attributes["process.pid"], fixture.bodies()[0]);
    assert!(!attributes.contains_key("process.command_args"));
    for value in attributes.values() {
        assert!(!value.contains("$$"), "an argument is on the span: {attributes:?}");
    }
}

#[test]
fn both_ways_to_run_name_the_caller() {
    let line = |is_run: bool| {
        let fixture = USUAL.build();
        let expected = fixture.block_on(|| async {
            let command = sh("true");
            if is_run {
                let (future, line) = (command.run(), line!());
                future.await.unwrap();
                line
            } else {
                let (future, line) = (command.output(), line!());
                future.await.unwrap();
                line
            }
        });
        let attributes = fixture.attributes();
        assert_eq!(attributes["code.line.number"], expected.to_string());
        assert_eq!(attributes["code.file.path"], file!());
    };
    line(true);
    line(false);
}

#[test]
fn arguments_are_recorded_on_request() {
    let fixture = USUAL.build();
    let command = Command::new("echo").args(["plan", "-out=x"]).with_args_recorded(true);
    fixture.block_on(|| command.run()).unwrap();
    let span = fixture.only_span();
    let args = span.attributes.iter().find(|attribute| attribute.key.as_str() == "process.command_args");
    let expected = opentelemetry::Array::String(vec!["echo".into(), "plan".into(), "-out=x".into()]);
    assert_eq!(args.unwrap().value, opentelemetry::Value::Array(expected));
}

#[test]
fn tool_and_operation_have_defaults_that_are_neither_scripts_nor_secrets() {
    let cases: [(&str, &[&str], &str); 12] = [
        ("echo", &["plan", "apply"], "echo.plan"),
        ("/bin/echo", &["init"], "echo.init"),
        ("./echo.tool.sh", &["init"], "echo.tool.init"),
        ("echo", &[], "echo.run"),
        ("echo", &["--flag"], "echo.run"),
        ("echo", &["-chdir=infra", "--x=y", "plan"], "echo.plan"),
        ("echo", &["--token", "abc123", "plan"], "echo.run"),
        ("echo", &["-c", "rm x", "plan"], "echo.run"),
        ("echo", &["https://user:secret@example.org/"], "echo.run"),
        ("echo", &["a=b", "plan"], "echo.run"),
        ("echo", &["5", "plan"], "echo.run"),
        ("echo", &["abcdefghijklmnopqrstuvwxyz0123456789"], "echo.run"),
    ];
    for (program, args, name) in cases {
        let fixture = USUAL.build();
        // Some of these programs do not exist: their op still has a name.
        let _ = fixture.block_on(|| Command::new(program).args(args).run());
        assert_eq!(fixture.only_span().name, name, "{program} {args:?}");
        let file = program.rsplit('/').next().unwrap();
        assert_eq!(fixture.attributes()["process.executable.name"], file);
    }
    let fixture = USUAL.build();
    let command = Command::new("echo").arg("x").tool("terraform").operation("plan");
    fixture.block_on(|| command.run()).unwrap();
    assert_eq!(fixture.only_span().name, "terraform.plan");
    assert_eq!(fixture.attributes()["nuon.tool"], "terraform");
    assert_eq!(fixture.attributes()["process.executable.name"], "echo");
}

#[test]
fn the_callers_attributes_are_on_the_span_and_win() {
    let fixture = USUAL.build();
    let own =
        [KeyValue::new("terraform.workspace", "prod"), KeyValue::new("process.executable.name", "mine")];
    fixture.block_on(|| sh("true").attributes(own).attributes([KeyValue::new("more", 1)]).run()).unwrap();
    let attributes = fixture.attributes();
    assert_eq!(attributes["terraform.workspace"], "prod");
    assert_eq!(attributes["process.executable.name"], "mine");
    assert_eq!(attributes["more"], "1");
}

#[test]
fn a_debug_line_shows_no_arguments_and_no_environment() {
    let command = Command::new("git").arg("s3cret").env("TOKEN", "s3cret").operation("push");
    let text = format!("{command:?} {command:#?}");
    assert!(text.contains("git") && text.contains("push") && !text.contains("s3cret"), "{text}");
}

#[test]
fn a_child_can_have_a_label() {
    let fixture = USUAL.build();
    fixture.block_on(|| Command::new("true").label("prod-eu-25").run()).unwrap();
    assert_eq!(fixture.attributes()["op.label"], "prod-eu-25");
}
