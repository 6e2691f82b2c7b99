//! Runs the processes of the arms that are compared, and collects what each one costs.

use std::process::{Command, Stdio};
use std::{env, fs};

use crate::arm::Arm;
use crate::process::Process;

/// How long a turn should take.
const TURN_NANOS: f64 = 4e6;

/// The cost of one is taken from the difference between these two run lengths, so that start-up
/// cancels out.
const SHORT: u64 = 1_000;
const LONG: u64 = 6_000;

/// The cost of one event, op or span of an arm.
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

/// How often the processes of a row are started, and how many turns each of them runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Effort {
    pub(crate) starts: usize,
    pub(crate) turns: usize,
}

/// Measures the arms of a row, each compared with the last.
pub(crate) fn row(arms: &[Arm], effort: Effort) -> Vec<Figures> {
    let mut nanos = vec![Vec::new(); arms.len()];
    let mut allocations = vec![None; arms.len()];
    // The memory layout of a process accounts for a few per cent, and stays: hence several starts.
    for _ in 0..effort.starts {
        let mut processes: Vec<_> = arms.iter().map(|arm| start(*arm)).collect();
        let counts: Vec<u64> = processes.iter_mut().map(calibrate).collect();
        for round in 0..effort.turns {
            for index in order(round, arms.len()) {
                let (elapsed, allocated) = turn(&mut processes[index], counts[index]);
                nanos[index].push(elapsed);
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

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Every other round runs in reverse, so that no arm always follows the same one.
pub(crate) fn order(round: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |index| if round.is_multiple_of(2) { index } else { count - 1 - index })
}

/// Starts the process of an arm.
pub(crate) fn start(arm: Arm) -> Process {
    Process::start(&["--arm", &arm.name()])
}

/// Nanoseconds and allocations of one, in a turn of `count` on each thread.
pub(crate) fn turn(process: &mut Process, count: u64) -> (f64, f64) {
    process.write(count);
    let [nanos, allocations] = process.read::<f64, 2>();
    // The process counts the allocations of a hundred.
    (nanos / count as f64, allocations / 100.0)
}

/// The count of a turn that takes [`TURN_NANOS`], after two turns to warm up.
fn calibrate(process: &mut Process) -> u64 {
    turn(process, 1_000);
    let (nanos, _) = turn(process, 5_000);
    (TURN_NANOS / nanos.max(0.1)) as u64
}

/// The instructions of one; `None` without valgrind.
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
    // One file per thread; the emitting thread is the first.
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
        // Callgrind also writes one for the whole process, and one for each other thread.
        let _ = fs::remove_file(path);
        text
    };
    let first = read("-01");
    let _ = read("");
    for thread in 2..10 {
        let _ = read(&format!("-0{thread}"));
    }
    let first = first
        .unwrap_or_else(|_| panic!("{arm:?}: valgrind failed: {}", String::from_utf8_lossy(&output.stderr)));
    let number = first.lines().find_map(|line| line.strip_prefix("totals:")).unwrap();
    Some(number.trim().parse().unwrap())
}
