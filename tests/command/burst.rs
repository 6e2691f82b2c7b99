//! A child that writes faster than its lines are logged.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

use crate::counting::{Counting, Observer};
use crate::support::{observing, sh};

const LINES: u64 = 100_000;

/// 100,000 lines of about 100 bytes: 10 MB.
const BURST: &str = "i=$(head -c 92 /dev/zero | tr '\\0' x); yes \"$i\" | head -n 100000 | nl -w 6";

/// Counts the bytes that this thread has allocated, and their maximum. The runtime is on this
/// thread, too.
struct Held;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

impl Observer for Held {
    fn allocated(size: usize) {
        HELD.set(HELD.get() + size.cast_signed());
        PEAK.set(PEAK.get().max(HELD.get()));
    }

    fn freed(size: usize) {
        HELD.set(HELD.get() - size.cast_signed());
    }
}

#[global_allocator]
static ALLOCATOR: Counting<Held> = Counting::new();

#[test]
fn a_burst_is_logged_to_the_last_line_and_grows_no_memory() {
    let in_order = Arc::new(AtomicU64::new(0));
    let seen = in_order.clone();
    let fixture = observing(move |text| {
        let expected = seen.load(Ordering::Relaxed) + 1;
        if text.split_whitespace().next().and_then(|number| number.parse().ok()) == Some(expected) {
            seen.store(expected, Ordering::Relaxed);
        }
    });
    // Creates what is created once, such as callsites.
    fixture.block_on(|| sh("true").run()).unwrap();
    let before = HELD.get();
    PEAK.set(before);
    let output = fixture.block_on(|| sh(BURST).run()).unwrap();
    assert_eq!(output.stdout_lines(), LINES);
    assert_eq!(in_order.load(Ordering::Relaxed), LINES);
    let grown = PEAK.get() - before;
    assert!(grown < 256 * 1024, "{grown} bytes");
    // Shows that the counter works: two buffers and a runtime are no less than this.
    assert!(grown > 16 * 1024, "{grown} bytes");
}

#[test]
fn a_child_waits_at_its_pipe_until_its_lines_are_logged() {
    let directory = std::env::temp_dir().join(format!("spanlog-command-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let done = directory.join("done");
    let (count, early) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let fixture = observing({
        let (count, early, done) = (count.clone(), early.clone(), done.clone());
        move |_| {
            let number = count.fetch_add(1, Ordering::Relaxed);
            // Far more lines are left than the script's pipes and our buffers can hold.
            if number % 1000 == 0 && number < LINES - 20_000 && done.exists() {
                early.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let script = format!("{BURST}; touch done; echo done");
    fixture.block_on(|| sh(&script).current_dir(&directory).run()).unwrap();
    assert!(done.exists());
    std::fs::remove_dir_all(&directory).unwrap();
    assert_eq!(count.load(Ordering::Relaxed), LINES + 1);
    assert_eq!(early.load(Ordering::Relaxed), 0, "the child was done before its lines were");
}

#[test]
fn others_on_the_thread_get_their_turn_during_a_burst() {
    // Slower than the child, so that there is always more to read.
    let fixture = observing(|_| std::thread::sleep(Duration::from_micros(50)));
    let turns = Arc::new(AtomicU64::new(0));
    let ticking = turns.clone();
    let output = fixture.block_on(|| async move {
        let ticking = tokio::spawn(async move {
            loop {
                tokio::task::yield_now().await;
                ticking.fetch_add(1, Ordering::Relaxed);
            }
        });
        let script = format!("{BURST} | head -n 10000");
        // Even without tokio's cooperative scheduling.
        let output = tokio::task::coop::unconstrained(sh(&script).run()).await.unwrap();
        ticking.abort();
        output
    });
    assert_eq!(output.stdout_lines(), 10_000);
    // 1 MB, at most 128 KiB per turn.
    let turns = turns.load(Ordering::Relaxed);
    assert!(turns >= 7, "{turns}");
}
