//! [`Guard::check`]: the check-up of what was installed.

use std::sync::atomic::Ordering;

use crate::correlate::dispatch::is_default;
use crate::doctor::arrival::{add_troubles, no_answer, Told, Watch};
use crate::doctor::{Checkup, Doctor, Finding, Problem};
use crate::install::guard::{Guard, Telemetry};
use crate::install::metered::{Meter, Output};
use crate::otlp::deliver::reporter::Effect;
use crate::otlp::signal::Signal;
use crate::otlp::sync::after;

impl Guard {
    /// Sends one span and one record through what was installed, and reports what is wrong, with what to do:
    /// see [`doctor`](mod@crate::doctor). Blocks for at most 5 seconds: in asynchronous code, call it in
    /// `spawn_blocking`.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), spanlog::Error> {
    /// let guard = spanlog::builder().with_service_name("runner").install()?;
    /// let checkup = guard.check();
    /// if !checkup.findings.is_empty() {
    ///     eprintln!("{checkup}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn check(&self) -> Checkup {
        self.check_with(&Doctor::new())
    }

    /// [`check`](Self::check) with settings.
    pub fn check_with(&self, doctor: &Doctor) -> Checkup {
        self.0.check(doctor)
    }
}

impl Telemetry {
    fn check(&self, doctor: &Doctor) -> Checkup {
        let until = after(doctor.deadline());
        let mut checkup = Checkup::default();
        if self.spans.is_none() {
            checkup.add(Finding::disabled());
            return checkup;
        }
        if self.is_down.load(Ordering::Acquire) {
            checkup.add(Finding::shut_down());
            return checkup;
        }
        let Some(subscriber) = self.subscriber.upgrade() else {
            checkup.add(Finding::not_default());
            return checkup;
        };
        let watch = Watch::begin(self.direct.iter().map(|direct| direct.pipeline.clone()).collect());
        let before: Vec<_> = self.meters.iter().map(|meter| meter.read()).collect();
        let mut checkup = doctor.send(&subscriber, until);
        watch.finish(until, &mut checkup);
        if !self.meters.is_empty() {
            let flush = self.start_sdk_flush(until);
            let is_done = self.finish_sdk_flush(flush, until).is_ok();
            add_outcomes(&self.meters, &before, is_done, &mut checkup);
        }
        checkup.settle();
        if !is_default(&subscriber) {
            checkup.add(Finding::not_default());
        }
        if !self.has_service_name {
            checkup.add(Finding::no_service_name());
        }
        let outputs = self.outputs();
        for (signal, has_own) in [(Signal::Logs, self.has_own_logs), (Signal::Traces, self.has_own_spans)] {
            let items = signal.items();
            if has_own {
                checkup.fact(format!(
                    "whether {items} arrive that a processor of the program takes is not known"
                ));
            } else if !outputs.iter().any(|output| output.signal == signal.name()) {
                if signal == Signal::Logs {
                    // Without one, there is no layer either.
                    checkup.findings.retain(|finding| finding.problem != Problem::NoLogLayer);
                }
                checkup.add(Finding::no_destination(items));
            }
        }
        checkup
    }
}

/// Adds the outcome of what the SDK's exporters got. `is_done`: all of it has one.
fn add_outcomes(meters: &[std::sync::Arc<Meter>], before: &[Output], is_done: bool, checkup: &mut Checkup) {
    let mut troubles = Vec::new();
    for (meter, before) in meters.iter().zip(before) {
        let output = meter.read();
        if output.taken == before.taken {
            continue;
        }
        let items = if output.signal == Signal::Logs.name() { Signal::Logs } else { Signal::Traces }.items();
        let receiver = meter.receiver();
        let trouble = meter.trouble();
        let is_silent = trouble.as_ref().is_none_or(|trouble| trouble.effect == Effect::Accepted);
        match output.failed > before.failed {
            true if is_silent => checkup.add(Finding::lost(items, receiver)),
            false if !is_done => troubles.push(Told { items, receiver, trouble: no_answer() }),
            false if is_silent && output.exported > before.exported => {
                checkup.fact(format!("{items} arrived at {receiver} ({} of the SDK)", output.exporter));
            }
            _ => {}
        }
        troubles.extend(trouble.map(|trouble| Told { items, receiver, trouble }));
    }
    add_troubles(troubles, checkup);
}
