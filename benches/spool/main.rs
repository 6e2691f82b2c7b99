//! Three designs of a spool, compared: records in memory-mapped segments, as they are in this crate, against a worker
//! that stores each batch when it is due, in a file or in redb.
//!
//! `cargo bench --bench spool` measures and prints, `-- --write` also writes the table of `docs/reliability.md`, and
//! `-- --test` runs each design once.
#![expect(clippy::unwrap_used, reason = "a bench that unwraps fails, which is what it is for")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message;
use redb::{Database, Durability, ReadableDatabase, ReadableTable, TableDefinition};
use spanlog::otlp::Pipeline;
use spanlog::LogLayer;
use tracing_subscriber::layer::SubscriberExt;

const LONG: Duration = Duration::from_secs(60);

/// How often a process is killed.
const KILLS: usize = 10;

/// So many records in each millisecond of a process that is killed.
const EACH_MILLI: u64 = 5;

const TABLE: TableDefinition<'static, u64, &[u8]> = TableDefinition::new("requests");

#[derive(Clone, Copy, Debug)]
enum Design {
    Segments,
    Append,
    Redb,
}

const ALL: [Design; 3] = [Design::Segments, Design::Append, Design::Redb];

impl Design {
    fn name(self) -> &'static str {
        match self {
            Self::Segments => "memory-mapped segments",
            Self::Append => "the worker appends to a file",
            Self::Redb => "the worker inserts into redb",
        }
    }

    fn named(name: &str) -> Self {
        ALL.into_iter().find(|design| format!("{design:?}") == name).unwrap()
    }

    /// The lines of code, without comments, blank lines and tests, that the design takes beside the queue and the
    /// worker. For the others, what is in this file; they have no recovery, limits, checksums or owners.
    fn lines(self) -> usize {
        let text = |path: &str| fs::read_to_string(root().join(path)).unwrap();
        let of_code = |text: &str| {
            let lines = text.lines().map(str::trim);
            lines.filter(|line| !line.is_empty() && !line.starts_with("//")).count()
        };
        match self {
            Self::Segments => {
                let mut files = vec!["src/otlp/spool.rs".to_owned(), "src/wire/segment.rs".to_owned()];
                for file in ["directory", "done", "map", "open_spans", "segment", "signal", "stock", "sync"] {
                    files.push(format!("src/otlp/spool/{file}.rs"));
                }
                files.extend(["read", "write"].map(|file| format!("src/wire/segment/{file}.rs")));
                files.extend(["queue/unmap", "deliver/restored"].map(|file| format!("src/otlp/{file}.rs")));
                files.iter().map(|file| of_code(&text(file))).sum()
            }
            Self::Append => between(&text("benches/spool/main.rs"), "appending", of_code),
            Self::Redb => between(&text("benches/spool/main.rs"), "inserting", of_code),
        }
    }

    /// A pipeline whose requests are stored, and not sent.
    fn pipeline(self, folder: &Path) -> Pipeline {
        match self {
            Self::Segments => Pipeline::builder()
                .with_endpoint("http://127.0.0.1:1")
                .with_spool(folder)
                .with_spool_limit(64 << 30)
                .build()
                .unwrap(),
            Self::Append => spanlog::testing::storing(appending(folder)),
            Self::Redb => spanlog::testing::storing(inserting(folder)),
        }
    }

    /// How many records a process has left.
    fn left(self, folder: &Path) -> u64 {
        match self {
            Self::Segments => {
                let pipeline = spanlog::testing::discarding_with_spool(folder);
                pipeline.shutdown(LONG).stats.recovered
            }
            Self::Append => {
                let all = fs::read(folder.join("requests")).unwrap_or_default();
                let (mut rest, mut records) = (&all[..], 0);
                while let Some((len, more)) = rest.split_first_chunk::<4>() {
                    let len = u32::from_le_bytes(*len) as usize;
                    let Some(request) = more.get(..len) else { break };
                    records += records_of(request);
                    rest = &more[len..];
                }
                records
            }
            Self::Redb => {
                let database = Database::create(folder.join("requests.redb")).unwrap();
                let reading = database.begin_read().unwrap();
                let Ok(table) = reading.open_table(TABLE) else { return 0 };
                table.iter().unwrap().map(|entry| records_of(entry.unwrap().1.value())).sum()
            }
        }
    }
}

/// Appends each request with its length.
fn appending(folder: &Path) -> impl FnMut(&[u8]) + Send + use<> {
    let mut file = File::options().create(true).append(true).open(folder.join("requests")).unwrap();
    move |request| {
        file.write_all(&(request.len() as u32).to_le_bytes()).unwrap();
        file.write_all(request).unwrap();
    }
} // appending

/// Inserts each request in a transaction of its own. Without a sync, as the other two.
fn inserting(folder: &Path) -> impl FnMut(&[u8]) + Send + use<> {
    let database = Database::create(folder.join("requests.redb")).unwrap();
    let mut next = 0;
    move |request| {
        let mut writing = database.begin_write().unwrap();
        writing.set_durability(Durability::None).unwrap();
        writing.open_table(TABLE).unwrap().insert(next, request).unwrap();
        writing.commit().unwrap();
        next += 1;
    }
} // inserting

fn between(text: &str, name: &str, count: impl Fn(&str) -> usize) -> usize {
    let begin = text.find(&format!("fn {name}(")).unwrap();
    let end = text.find(&format!("}} // {name}")).unwrap();
    count(&text[begin..end])
}

fn records_of(request: &[u8]) -> u64 {
    let request = ExportLogsServiceRequest::decode(request).unwrap();
    let scopes = request.resource_logs.iter().flat_map(|logs| &logs.scope_logs);
    scopes.map(|scope| scope.log_records.len() as u64).sum()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A new directory on the disk, as temporary files may be in memory.
fn folder(name: &str) -> PathBuf {
    let folder = root().join("target").join(format!("spool-bench-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// CPU time of all threads of this process, in nanoseconds. `/proc` counts in hundredths of a second.
fn cpu_nanos() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    ticks * 10_000_000
}

/// What the processes of this bench do.
fn child(design: Design, what: &str, folder: &Path) {
    let pipeline = design.pipeline(folder);
    let subscriber = tracing_subscriber::registry().with(LogLayer::direct(pipeline.clone()));
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let emit = |number: u64| {
        tracing::info!(number, attempt = 3, host = "worker-17", is_retry = false, "a line of a job")
    };
    match what.parse::<u64>() {
        Ok(count) => {
            let (begun, cpu) = (Instant::now(), cpu_nanos());
            (0..count).for_each(emit);
            let own = begun.elapsed();
            // What has no answer stays where it is.
            pipeline.shutdown(match design {
                Design::Segments => Duration::from_millis(200),
                _ => LONG,
            });
            println!("{} {}", own.as_nanos(), cpu_nanos() - cpu);
        }
        Err(_) => {
            let progress = File::create(folder.join("progress")).unwrap();
            println!("ready");
            for number in 0.. {
                emit(number);
                progress.write_all_at(&(number + 1).to_le_bytes(), 0).unwrap();
                if number % EACH_MILLI == 0 {
                    thread::sleep(Duration::from_millis(1));
                }
            }
        }
    }
}

fn start(design: Design, what: &str, folder: &Path) -> (Child, String) {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--child", &format!("{design:?}"), what])
        .arg(folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, line)
}

/// The cells of a design's row.
fn measure(design: Design, count: u64, kills: usize) -> Vec<String> {
    let place = folder("speed");
    let begun = Instant::now();
    let (mut child, line) = start(design, &count.to_string(), &place);
    assert!(child.wait().unwrap().success(), "{design:?}");
    let elapsed = begun.elapsed();
    let (own, cpu) = line.trim().split_once(' ').unwrap();
    let each = |nanos: &str| nanos.parse::<u64>().unwrap() / count;
    let bytes = size(&place);
    assert_eq!(design.left(&place), count, "{design:?}");
    fs::remove_dir_all(&place).unwrap();

    let mut lost = Vec::new();
    for round in 0..kills {
        let place = folder("kill");
        let (mut child, _) = start(design, "until-killed", &place);
        // Over the second in which a batch becomes due.
        thread::sleep(Duration::from_millis(1200 + 173 * round as u64 % 1000));
        child.kill().unwrap();
        child.wait().unwrap();
        let emitted = u64::from_le_bytes(fs::read(place.join("progress")).unwrap().try_into().unwrap());
        lost.push(emitted.saturating_sub(design.left(&place)));
        fs::remove_dir_all(&place).unwrap();
    }
    let lost = match (lost.iter().min(), lost.iter().max()) {
        (Some(least), Some(most)) if least != most => format!("{least} to {most}"),
        (_, most) => most.copied().unwrap_or_default().to_string(),
    };
    let per_second = format!("{:.0}", bytes as f64 / 1e6 / elapsed.as_secs_f64());
    let (own, cpu) = (each(own).to_string(), each(cpu).to_string());
    vec![design.name().to_owned(), own, cpu, per_second, lost, design.lines().to_string()]
}

/// The bytes of all files below `path`.
fn size(path: &Path) -> u64 {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap());
    entries
        .map(
            |entry| if entry.path().is_dir() { size(&entry.path()) } else { entry.metadata().unwrap().len() },
        )
        .sum()
}

fn write(rows: &[Vec<String>]) {
    let path = root().join("docs/reliability.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, after) = text.split_once("\n\n<!-- designs -->").unwrap();
    let head = before.rfind("| ---").unwrap();
    let head_end = head + before[head..].find('\n').unwrap_or(before.len() - head);
    let rows: Vec<_> = rows.iter().map(|cells| format!("| {} |", cells.join(" | "))).collect();
    let text = format!("{}\n{}\n\n<!-- designs -->{after}", &before[..head_end], rows.join("\n"));
    fs::write(path, text).unwrap();
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if let Some(at) = arguments.iter().position(|argument| argument == "--child") {
        return child(Design::named(&arguments[at + 1]), &arguments[at + 2], Path::new(&arguments[at + 3]));
    }
    let is_test = arguments.iter().any(|argument| argument == "--test");
    let (count, kills) = if is_test { (20_000, 1) } else { (2_000_000, KILLS) };
    let rows: Vec<_> = ALL.into_iter().map(|design| measure(design, count, kills)).collect();
    for row in &rows {
        println!("{}", row.join(" | "));
    }
    if arguments.iter().any(|argument| argument == "--write") {
        write(&rows);
    }
}
