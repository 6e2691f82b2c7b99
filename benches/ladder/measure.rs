//! Runs the processes of the arms that are compared, and reads off what they took.

use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::{env, fs};

use crate::arm::Arm;

/// How long a turn should take.
const TURN_NANOS: f64 = 4e6;

/// The two run lengths whose difference is the cost of the things in between.
const SHORT: u64 = 1_000;
const LONG: u64 = 6_000;

/// What one arm took, for one event, op or span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// The median.
    pub(crate) nanos: f64,
    /// The median of its ratios to the last arm of its row, turn by turn.
    pub(crate) ratio: f64,
    /// `None` with more than one thread.
    pub(crate) allocations: Option<f64>,
    /// `None` with more than one thread, or without valgrind.
    pub(crate) instructions: Option<f64>,
}

/// Where the work of a row goes: how often the processes are started anew, and how many turns each has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) starts: usize,
    pub(crate) turns: usize,
}

/// Measures arms that are compared with the last of them.
pub(crate) fn row(arms: &[Arm], effort: Effort) -> Vec<Figures> {
    let mut nanos = vec![Vec::new(); arms.len()];
    let mut allocations = vec![None; arms.len()];
    // A process keeps its memory layout for life, and that alone is worth some per cent: hence starts.
    for _ in 0..effort.starts {
        let mut children: Vec<_> = arms.iter().map(|arm| Child::start(*arm)).collect();
        let counts: Vec<u64> = children.iter_mut().map(Child::calibrate).collect();
        for turn in 0..effort.turns {
            // Every other turn the other way round, so that nobody always runs behind the same.
            let order: Vec<usize> = match turn % 2 {
                0 => (0..arms.len()).collect(),
                _ => (0..arms.len()).rev().collect(),
            };
            for index in order {
                let (took, allocated) = children[index].turn(counts[index]);
                nanos[index].push(took);
                allocations[index] = (arms[index].threads == 1).then_some(allocated);
            }
        }
    }
    let rival = nanos[arms.len() - 1].clone();
    (0..arms.len())
        .map(|index| Figures {
            nanos: median(nanos[index].clone()),
            ratio: median(nanos[index].iter().zip(&rival).map(|(own, rival)| own / rival).collect()),
            allocations: allocations[index],
            instructions: (arms[index].threads == 1).then(|| instructions(arms[index])).flatten(),
        })
        .collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The process of one arm. It ends when its input does.
pub(crate) struct Child {
    process: std::process::Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    arm: Arm,
}

impl Child {
    pub(crate) fn start(arm: Arm) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--arm", &arm.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().unwrap());
        Self { process, input, output, arm }
    }

    /// Nanoseconds and allocations for one, of `count` on each thread.
    pub(crate) fn turn(&mut self, count: u64) -> (f64, f64) {
        let gone = |_| panic!("{:?}: the process has failed, see above", self.arm);
        writeln!(self.input.as_mut().unwrap(), "{count}").unwrap_or_else(gone);
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        let mut numbers = line.split_whitespace().map(|number| number.parse::<f64>().unwrap());
        let (Some(nanos), Some(allocations)) = (numbers.next(), numbers.next()) else {
            panic!("{:?}: the process has failed, see above", self.arm)
        };
        // It counts over a hundred.
        (nanos / count as f64, allocations / 100.0)
    }

    /// The count that makes a turn, after some turns to warm up.
    fn calibrate(&mut self) -> u64 {
        self.turn(1_000);
        let (nanos, _) = self.turn(5_000);
        (TURN_NANOS / nanos.max(0.1)) as u64
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.input.take());
        let status = self.process.wait();
        if !std::thread::panicking() {
            assert!(status.unwrap().success(), "{:?}: the process has failed, see above", self.arm);
        }
    }
}

/// Instructions for one; `None` where there is no valgrind.
fn instructions(arm: Arm) -> Option<f64> {
    let short = collected(arm, SHORT)?;
    let long = collected(arm, LONG)?;
    Some((long - short) / (LONG - SHORT) as f64)
}

pub(crate) fn has_valgrind() -> bool {
    Command::new("valgrind").arg("--version").stdout(Stdio::null()).status().is_ok()
}

fn collected(arm: Arm, count: u64) -> Option<f64> {
    if !has_valgrind() {
        return None;
    }
    // One file for each thread; the one that emits is the first.
    let out = env::temp_dir().join(format!("ladder-{}", std::process::id()));
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--separate-threads=yes"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(env::current_exe().unwrap())
        .args(["--arm", &arm.name(), &count.to_string()])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let read = |suffix: &str| {
        let path = format!("{}{suffix}", out.display());
        let text = fs::read_to_string(&path);
        // Callgrind leaves one for the whole, too, and one for each further thread.
        let _ = fs::remove_file(path);
        text
    };
    let first = read("-01");
    let _ = read("");
    for thread in 2..10 {
        let _ = read(&format!("-0{thread}"));
    }
    let first = first
        .unwrap_or_else(|_| panic!("{arm:?}: valgrind says: {}", String::from_utf8_lossy(&output.stderr)));
    let number = first.lines().find_map(|line| line.strip_prefix("totals:")).unwrap();
    Some(number.trim().parse().unwrap())
}
