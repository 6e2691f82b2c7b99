//! The page that a run produces.

use std::fmt::{self, Write};
use std::fs;
use std::process::Command;

use crate::arm::{Arm, What, FIELDS, TARGET};
use crate::delivery;
use crate::measure::{self, Effort, Figures};

const FOR_TARGETS: Effort = Effort { starts: 5, turns: 30 };
const FOR_LADDER: Effort = Effort { starts: 2, turns: 12 };

pub(crate) fn page(only_targets: bool) -> String {
    let mut page = String::new();
    write_page(&mut page, only_targets).unwrap();
    page
}

fn write_page(page: &mut String, only_targets: bool) -> fmt::Result {
    page.push_str(HEAD);
    if !measure::has_valgrind() {
        let warning = "**VALGRIND IS ABSENT: NO INSTRUCTIONS WERE COUNTED. The rows that need them say \"not measured\".**";
        eprintln!("{warning}");
        writeln!(page, "\n{warning}")?;
    }
    writeln!(page, "\n| this run | |\n| --- | --- |")?;
    for (what, fact) in facts() {
        writeln!(page, "| {what} | {fact} |")?;
    }
    targets(page)?;
    if !only_targets {
        ladder(page)?;
    }
    Ok(())
}

const HEAD: &str = "\
# Benchmarks

Written by `cargo bench --bench ladder -- --write`, never by hand. Every figure is for one event (or one op or span).

Times are wall-clock medians, and the machine may be shared: compare the ratios, which are medians over turns of a few
milliseconds that the compared programs run alternately. Instructions are counted by callgrind: the difference between two run
lengths, divided by the difference in events. An allocation is one call of `alloc` or `realloc`.

Each arm is a separate process with a global subscriber. It asserts how many records or spans it made and, on one of them, the
ids and the number of attributes. Records and spans end in a processor that counts and drops them. Every arm with a log
layer, ours or the appender's, has the same span layer: `SpanLayer` around tracing-opentelemetry around the SDK's tracer, with the
always-on sampler.
";

/// A row of the table of targets.
fn row(
    page: &mut String,
    (what, figure): (&str, &str),
    ours: &str,
    other: &str,
    value: Option<f64>,
    at_most: f64,
) -> fmt::Result {
    let (value, met) = match value {
        Some(value) if value <= at_most => (format!("{value:.2}"), "yes"),
        Some(value) => (format!("{value:.2}"), "**no**"),
        None => ("not measured".to_owned(), "unknown"),
    };
    let at_most = (at_most * 1000.0).round() / 1000.0;
    writeln!(page, "| {what} | {figure} | {ours} | {other} | {value} | {at_most} | {met} |")
}

fn targets(page: &mut String) -> fmt::Result {
    writeln!(page, "\n## Targets\n")?;
    writeln!(page, "The event has four fields and a message, inside two spans with four fields in all. The appender has span attributes on.\n")?;
    writeln!(page, "| what | figure | ours | against | value | target, at most | met |")?;
    writeln!(page, "| --- | --- | ---: | ---: | ---: | ---: | --- |")?;

    let event = measure::row(&Arm::row(TARGET.what, true, 1), FOR_TARGETS);
    let [_, _, ours, stamped, _, _, _, appender] = event[..] else { unreachable!("eight arms") };
    compare(page, "event, no stamps", &ours, &appender, 0.85, Some(0.75))?;
    allocations(page, "event, no stamps", &ours, &appender, 4.0)?;
    compare(page, "event, 3 job stamps more than the appender's", &stamped, &appender, 1.1, Some(0.95))?;
    allocations(page, "event, 3 job stamps more than the appender's", &stamped, &appender, 5.0)?;

    let what =
        "event on the direct path, against the appender delivering by opentelemetry-otlp, both with 3 stamps";
    let delivering = measure::row(&Arm::delivering(), FOR_TARGETS);
    let [direct, rival] = delivering[..] else { unreachable!("two arms") };
    compare(page, what, &direct, &rival, 0.125, None)?;
    instructions(page, (what, "instructions of its thread"), &direct, &rival, direct.instructions, 1600.0)?;
    allocations(page, what, &direct, &rival, 0.0)?;
    for in_job in [false, true] {
        let what = match in_job {
            false => "event on the direct path with a spool, against the same without, no stamps",
            true => "the same with 3 stamps",
        };
        let spooled = measure::row(&Arm::spooled(in_job), FOR_TARGETS);
        let [spooled, direct] = spooled[..] else { unreachable!("two arms") };
        compare(page, what, &spooled, &direct, 1.15, Some(1.15))?;
    }
    let threads = measure::row(&Arm::two_threads(), FOR_TARGETS);
    let [two, one, alone_two, alone_one] = threads[..] else { unreachable!("four arms") };
    // How much longer each takes with a second thread, and how much of that is not the machine's.
    let [ours, alone] = [(two, one), (alone_two, alone_one)].map(|(two, one)| two.ratio / one.ratio);
    let what =
        "event on the direct path, time of two threads over that of one, against threads that share nothing";
    row(
        page,
        (what, "ratio"),
        &format!("{ours:.2}"),
        &format!("{alone:.2}"),
        Some(ours / alone),
        1.0 / 0.95,
    )?;

    deliveries(page)?;

    let disabled = measure::row(&Arm::disabled(), FOR_TARGETS);
    let [ours, none] = disabled[..] else { unreachable!("two arms") };
    let what = "event disabled by a global filter, against a program without our layers";
    // The count is exact to a fraction: less than one more is none.
    let more = ours.instructions.zip(none.instructions).map(|(ours, none)| (ours - none).max(0.0));
    instructions(page, (what, "instructions more"), &ours, &none, more, 0.5)?;
    compare(page, what, &ours, &none, 1.05, None)?;

    for in_job in [false, true] {
        let ops = measure::row(&Arm::ops(in_job), FOR_TARGETS);
        let [op, span] = ops[..] else { unreachable!("two arms") };
        let what = match in_job {
            false => "`op` start and end, against an `info_span!` with its attributes",
            true => "the same inside a job with 3 stamps",
        };
        compare(page, what, &op, &span, 1.5, Some(1.5))?;
        let [op, span] = [op, span].map(|figures| number(figures.allocations));
        writeln!(page, "| {what} | allocations | {op} | {span} | | | |")?;
    }

    let traces = measure::row(&Arm::traces(), FOR_TARGETS);
    let [nop, _, _, full] = traces[..] else { unreachable!("four arms") };
    let what = "a span and an entry of `trace` without telemetry, against the same over `tracing`";
    compare(page, what, &nop, &full, 0.05, None)?;
    allocations(page, what, &nop, &full, 0.0)?;
    table_of_traces(page, &traces)
}

fn table_of_traces(page: &mut String, traces: &[Figures]) -> fmt::Result {
    writeln!(page, "\n## `trace`: a span with one entry, ended with a result\n")?;
    writeln!(page, "| back end | time, ns | instructions | allocations |\n| --- | ---: | ---: | ---: |")?;
    let names = ["none, no subscriber", "none, the entry is a record", "OpenTelemetry", "`tracing`"];
    for (name, figures) in names.into_iter().zip(traces) {
        let [instructions, allocations] = [figures.instructions, figures.allocations].map(number);
        writeln!(page, "| {name} | {} | {instructions} | {allocations} |", nanos(figures))?;
    }
    Ok(())
}

fn deliveries(page: &mut String) -> fmt::Result {
    if !delivery::can_be_measured() {
        eprintln!("NOT MEASURED: the cost of delivery, which is read from /proc");
        return Ok(());
    }
    let what = "record delivered over HTTP to another process, both with 3 stamps";
    let [ours, appender, emit] = delivery::measure();
    let rivals = [
        ("CPU ns of all threads, against appender + opentelemetry-otlp", appender),
        ("CPU ns of all threads, against emit_otlp", emit),
    ];
    for (figure, rival) in rivals {
        let [own, other] = [ours, rival].map(|delivered| format!("{:.0}", delivered.cpu_nanos));
        row(page, (what, figure), &own, &other, Some(ours.cpu_nanos / rival.cpu_nanos), 0.1)?;
    }
    let figure = "request bytes, against opentelemetry-otlp";
    let [own, other] = [ours, appender].map(|delivered| format!("{:.1}", delivered.bytes));
    row(page, (what, figure), &own, &other, Some(ours.bytes / appender.bytes), 1.0)?;

    let what = "span delivered over HTTP to another process, both over `SpanLayer`";
    let [ours, sdk] = delivery::measure_spans();
    let pairs = [
        (
            "CPU ns of all threads, against the SDK's batch processor + opentelemetry-otlp",
            0.4,
            ours.cpu_nanos,
            sdk.cpu_nanos,
        ),
        ("ns on the thread that creates and ends it", 0.7, ours.own_nanos, sdk.own_nanos),
        ("allocations", 0.5, ours.allocations, sdk.allocations),
        ("request bytes", 1.0, ours.bytes, sdk.bytes),
    ];
    for (figure, at_most, own, other) in pairs {
        row(page, (what, figure), &format!("{own:.1}"), &format!("{other:.1}"), Some(own / other), at_most)?;
    }

    let what = "10 million events with the collector down";
    let [limit, grown, late] =
        delivery::while_collector_is_down(10_000_000).map(|bytes| bytes / f64::from(1 << 20));
    // What the process may use in addition to the queue.
    let limit = limit + 8.0;
    let figure = "MiB that memory grew, against the queue's limit + 8";
    row(page, (what, figure), &format!("{grown:.1}"), &format!("{limit:.1}"), Some(grown / limit), 1.0)?;
    row(page, (what, "MiB of that in the second half"), &format!("{late:.1}"), "", Some(late), 1.0)
}

/// Time, and instructions where they have a target.
fn compare(
    page: &mut String,
    what: &str,
    ours: &Figures,
    other: &Figures,
    time: f64,
    at_most: Option<f64>,
) -> fmt::Result {
    row(page, (what, "time, ns"), &nanos(ours), &nanos(other), Some(ours.ratio), time)?;
    let Some(at_most) = at_most else { return Ok(()) };
    let ratio = ours.instructions.zip(other.instructions).map(|(ours, other)| ours / other);
    instructions(page, (what, "instructions"), ours, other, ratio, at_most)
}

fn instructions(
    page: &mut String,
    name: (&str, &str),
    ours: &Figures,
    other: &Figures,
    value: Option<f64>,
    at_most: f64,
) -> fmt::Result {
    row(page, name, &number(ours.instructions), &number(other.instructions), value, at_most)
}

fn allocations(page: &mut String, what: &str, ours: &Figures, other: &Figures, at_most: f64) -> fmt::Result {
    let [own, others] = [ours, other].map(|figures| number(figures.allocations));
    row(page, (what, "allocations"), &own, &others, ours.allocations, at_most)
}

fn nanos(figures: &Figures) -> String {
    match figures.nanos {
        few if few < 10.0 => format!("{few:.2}"),
        many => format!("{many:.0}"),
    }
}

fn number(value: Option<f64>) -> String {
    match value {
        Some(value) if (value - value.round()).abs() < 0.05 => format!("{:.0}", value.round().abs()),
        Some(value) => format!("{value:.1}"),
        None => "not measured".to_owned(),
    }
}

fn ladder(page: &mut String) -> fmt::Result {
    let mut times: [Vec<String>; 2] = Default::default();
    let mut instructions = Vec::new();
    let mut allocations = Vec::new();
    for threads in [1, 2] {
        for in_span in [true, false] {
            for fields in FIELDS {
                let figures = measure::row(&Arm::row(What::Event(fields), in_span, threads), FOR_LADDER);
                let start = format!("| {fields} | {} |", if in_span { "two spans" } else { "no span" });
                let line = |cell: &dyn Fn(&Figures) -> String| {
                    figures.iter().fold(start.clone(), |line, figures| format!("{line} {} |", cell(figures)))
                };
                times[threads - 1]
                    .push(line(&|figures| format!("{} ({:.2})", nanos(figures), figures.ratio)));
                if threads == 1 {
                    instructions.push(line(&|figures| number(figures.instructions)));
                    allocations.push(line(&|figures| number(figures.allocations)));
                }
            }
        }
    }
    let [one, two] = times;
    table(page, "Time, one thread: ns (against the appender with span attributes)", &one)?;
    table(page, "Time, two threads at once, on each: ns (against the appender with span attributes)", &two)?;
    table(page, "Instructions", &instructions)?;
    table(page, "Allocations", &allocations)
}

fn table(page: &mut String, title: &str, lines: &[String]) -> fmt::Result {
    writeln!(page, "\n## {title}\n")?;
    writeln!(page, "| fields | inside | no subscriber | registry | ours | ours, 3 job stamps | direct | direct, 3 job stamps | appender | appender, span attributes |")?;
    writeln!(page, "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")?;
    lines.iter().try_for_each(|line| writeln!(page, "{line}"))
}

fn facts() -> Vec<(&'static str, String)> {
    let cpu = fs::read_to_string("/proc/cpuinfo").ok().and_then(|info| {
        let line = info.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let commit = output("git", &["rev-parse", "--short=12", "HEAD"]);
    let is_clean =
        output("git", &["status", "--porcelain", "--untracked-files=no", "src", "benches", "Cargo.toml"])
            .is_empty();
    vec![
        ("CPU", cpu.unwrap_or_else(|| "unknown".to_owned())),
        ("cores", cores.to_string()),
        ("kernel", kernel.map_or_else(|| "unknown".to_owned(), |kernel| kernel.trim().to_owned())),
        ("compiler", output("rustc", &["--version"])),
        ("commit", if is_clean { commit } else { format!("{commit}, with changes") }),
        ("date", output("date", &["-u", "+%Y-%m-%d"])),
    ]
}

/// What a command prints; empty if it cannot be run.
fn output(command: &str, arguments: &[&str]) -> String {
    let output = Command::new(command).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
