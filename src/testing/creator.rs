//! The capture of the thread that started this one, which Linux hands down with the timer slack.
//!
//! Nothing else that a test can set without changing what it does is inherited by a thread that
//! std, tokio or anybody else starts. The slack is by how many nanoseconds the kernel may delay a
//! timer: 50,000 unless it was set. A capture adds its number to an unusual value near that.
#![expect(unsafe_code, reason = "libc's functions are unsafe")]

use libc::{c_int, c_ulong, prctl, PR_GET_TIMERSLACK, PR_SET_TIMERSLACK};

/// The slack of the capture with number 0, which does not exist.
const FIRST: u64 = 77_000;

/// More captures than a process makes. Later ones are not inherited.
const NUMBERS: u64 = 100_000;

/// In the place of a number: the thread belongs to a test that does not capture.
pub(crate) const OTHERS: u64 = NUMBERS - 1;

/// Marks this thread, and those that it will start, with a capture's number. 0 takes the mark away.
pub(crate) fn mark(number: u64) {
    let slack = match number {
        0 => 0, // The kernel's default.
        1..NUMBERS => FIRST + number,
        _ => return,
    };
    // SAFETY: it takes integers only. If the kernel has no slack, nothing is marked.
    unsafe { prctl(PR_SET_TIMERSLACK, slack as c_ulong, 0, 0, 0) };
}

/// The number that this thread is marked with.
pub(crate) fn number() -> Option<u64> {
    // SAFETY: it takes integers only.
    let slack: c_int = unsafe { prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0) };
    let number = u64::try_from(slack).ok()?.checked_sub(FIRST)?;
    (1..NUMBERS).contains(&number).then_some(number)
}
