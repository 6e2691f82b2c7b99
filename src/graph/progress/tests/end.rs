//! What a view leaves at its end: the failures, the verdict, the report's place.

use std::path::Path;

use super::Stage;
use crate::graph::progress::summary::{summary, Form};
use crate::graph::tool_call_graph::ToolCallGraph;

/// A job in which a fetch is retried, one of 26 applies fails, and a probe fails whose step goes on.
fn ended() -> ToolCallGraph {
    let mut stage = Stage::default()
        .call(1, 0, "job.deploy", 100, Some(190))
        .with("runner_job.id", "plan 6")
        .fails("step apply: apply prod-5: exit status 1")
        .call(2, 1, "git fetch", 101, Some(102))
        .fails("connection reset")
        .call(3, 1, "git fetch", 103, Some(104))
        .fails("connection reset by peer")
        .call(4, 1, "git fetch", 105, Some(106))
        .call(5, 1, "step.probe", 106, Some(108))
        .call(6, 5, "curl get", 106, Some(107))
        .fails("404")
        .call(7, 1, "step.apply", 110, Some(190))
        .fails("apply prod-5: exit status 1");
    for number in 0..26 {
        stage = stage.call(10 + number, 7, "terraform apply", 110, Some(120 + number));
        stage = stage.with("op.label", &format!("prod-{number}"));
        if number == 5 {
            stage = stage.fails("exit status 1").lines(15, (0..30).map(|_| "creating"));
        }
    }
    stage.error(15, 3, "Error: no such subnet").graph()
}

#[test]
fn what_ended_the_job_is_nearest_to_the_prompt_and_what_was_recovered_is_folded() {
    let text = summary(&ended(), Form { report: Some(Path::new("/out/report.html")), ..Form::default() });
    let expected = "
✗ job.deploy (plan 6)                1m 30s  failed inside
✓ ├─ git fetch                       1.00 s  ok at the 3rd attempt
! ├─ step.probe                      2.00 s  failed inside
✗ │  └─ curl get                     1.00 s  failed: 404 (recovered)
✗ └─ step.apply                      1m 20s  failed inside
✗    └─ terraform apply ×26         35.00 s  1 error, 30 info  1 failed, slowest prod-25 35.00 s
✗       └─ terraform apply (prod-5)  15.00 s  1 error, 30 info  failed: exit status 1

3 recovered: git fetch ×2, curl get

✗ job.deploy (plan 6) › step.apply › terraform apply (prod-5)  15.00 s
  failed: exit status 1
  ┆ … 3 earlier lines
  ┆ Error: no such subnet
  ┆ … 8 more lines
";
    let (head, tail) = text.split_once("  ┆ creating\n").unwrap();
    assert_eq!(squeezed(&format!("\n{head}")), squeezed(expected));
    assert!(
        tail.ends_with("┆ creating\n\n✗ job.deploy (plan 6) failed after 1m 30s  /out/report.html\n"),
        "{tail}"
    );
    // The message of a failure is shown with the span that failed, not again with its ancestors.
    assert_eq!(text.matches("exit status 1").count(), 2, "{text}");
}

/// Without the padding between columns.
fn squeezed(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let indented = line.len() - line.trim_start().len();
        format!("{}{}", &line[..indented], line.split_whitespace().collect::<Vec<_>>().join(" "))
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn in_a_workflow_the_tree_is_a_group_and_each_failure_an_annotation() {
    let text = summary(&ended(), Form { is_github: true, ..Form::default() });
    assert!(text.starts_with("::group::Tool-call graph\n✗ job.deploy"), "{text}");
    let (_, rest) = text.split_once("\n::endgroup::\n").unwrap();
    assert!(rest.contains("  ┆ Error: no such subnet\n"), "{rest}");
    let errors: Vec<_> = text.lines().filter(|line| line.starts_with("::error")).collect();
    let error = "::error title=job.deploy (plan 6) › step.apply › terraform apply (prod-5)::failed: exit status 1\
        %0A… 3 earlier lines%0AError: no such subnet%0A… 23 more lines%0Acreating%0Acreating%0Acreating%0Acreating";
    assert_eq!(errors, [error]);
    // Elsewhere there are none.
    assert!(!summary(&ended(), Form::default()).contains("::"));
}

/// Guarantees: no text of a span ends a command or starts another.
#[test]
fn a_workflow_command_cannot_be_ended_by_a_name_or_a_message() {
    let graph = Stage::default()
        .call(1, 0, "a,b:c%\n::stop-commands::x", 100, Some(101))
        .fails("50%\r\n::set-env name=A::b")
        .graph();
    let text = summary(&graph, Form { is_github: true, ..Form::default() });
    let commands: Vec<_> = text.lines().filter(|line| line.trim_start().starts_with("::")).collect();
    assert_eq!(commands.len(), 3, "{commands:?}");
    assert!(
        commands[2].starts_with("::error title=a%2Cb%3Ac%25 ⏎ %3A%3Astop-commands%3A%3Ax::failed: 50%25"),
        "{commands:?}"
    );
}

#[test]
fn several_jobs_have_one_verdict_that_counts_them() {
    let graph = Stage::default()
        .call(1, 0, "job.plan", 100, Some(101))
        .executes("a")
        .call(2, 0, "job.plan", 100, Some(103))
        .executes("b")
        .fails("exit status 1")
        .call(3, 0, "job.plan", 100, None)
        .executes("c")
        .graph();
    let text = summary(&graph, Form::default());
    assert!(
        text.starts_with("✓ job.plan (a)  1.00 s\n✗ job.plan (b)  3.00 s  failed: exit status 1\n"),
        "{text}"
    );
    assert!(text.ends_with("\n\n✗ 3 jobs: 1 failed, 1 running; failed: job.plan (b)\n"), "{text}");
}

/// Guarantees: GitHub keeps ten annotations, and the failure that ended the job is the first of them; in the text it
/// is the last.
#[test]
fn of_many_failures_the_one_that_ended_the_job_is_annotated_first() {
    let mut stage = Stage::default().call(1, 0, "job.deploy", 100, Some(190)).fails("step 7: denied");
    for number in 0..14 {
        stage = stage.call(10 + number, 1, &format!("step.{number}"), 110, Some(120 + number));
        stage = stage.fails(if number == 7 { "denied" } else { "late" });
    }
    let text = summary(&stage.graph(), Form { is_github: true, ..Form::default() });
    let errors: Vec<_> = text.lines().filter(|line| line.starts_with("::error")).collect();
    assert_eq!(errors.len(), 10);
    assert!(errors[0].starts_with("::error title=job.deploy › step.7::failed: denied"), "{errors:?}");
    let heads: Vec<_> = text.lines().filter(|line| line.starts_with("✗ job.deploy › ")).collect();
    assert_eq!(heads.len(), 14);
    assert!(heads[13].starts_with("✗ job.deploy › step.7  "), "{heads:?}");
}
