//! [`Guard::check`]: the check-up of what was installed.

use std::sync::atomic::Ordering;

use crate::correlate::dispatch::is_default;
use crate::doctor::{arrival, Checkup, Doctor, Finding, Problem};
use crate::install::guard::{Guard, Telemetry};
use crate::install::metered::Meter;
use crate::otlp::signal::Signal;
use crate::otlp::sync::after;

impl Guard {
    /// Sends one span and one record through what was installed, and says what is wrong, with what to do
    /// about it: see [`doctor`](mod@crate::doctor). Blocks for at most 5 seconds.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), spanlog::Error> {
    /// let guard = spanlog::builder().with_service_name("runner").install()?;
    /// let checkup = guard.check();
    /// if !checkup.is_healthy() {
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
        let mut checkup = Checkup::default();
        if self.spans.is_none() {
            checkup.add(Finding::disabled());
            return checkup;
        }
        let subscriber = self.subscriber.upgrade().filter(|_| !self.is_down.load(Ordering::Acquire));
        let Some(subscriber) = subscriber else {
            checkup.add(Finding::shut_down());
            return checkup;
        };
        let mut checkup = doctor.send(&subscriber);
        if !is_default(&subscriber) {
            checkup.add(Finding::other_subscriber(
                "what was built here is not the subscriber of this thread, whose events go elsewhere",
            ));
        }
        if !self.has_service_name {
            checkup.add(Finding::no_service_name());
        }
        let outputs = self.outputs();
        for signal in [Signal::Logs, Signal::Traces] {
            if !outputs.iter().any(|output| output.signal == signal.name()) {
                // Without one, there is no layer either.
                checkup.findings.retain(|finding| finding.problem != Problem::NoLogLayer);
                checkup.add(Finding::no_destination(signal.items()));
            }
        }
        let until = after(doctor.deadline());
        let sdk = self.start_sdk_flush(until);
        let pipelines: Vec<_> = self.direct.iter().map(|direct| direct.pipeline.clone()).collect();
        arrival::wait(&pipelines, until, &mut checkup);
        // Its outcome is in the meters.
        drop(self.finish_sdk_flush(sdk, until));
        self.meters.iter().for_each(|meter| add_outcome(meter, &mut checkup));
        checkup
    }
}

/// Adds what became of what an exporter of the SDK got.
fn add_outcome(meter: &Meter, checkup: &mut Checkup) {
    let output = meter.read();
    let name = format!("{} to {} by the SDK's exporter", output.signal, output.exporter);
    let why = meter.error().or_else(|| (output.pending > 0).then(|| "no answer came in time".to_owned()));
    match why {
        Some(why) => checkup.add(Finding::not_delivered_by_sdk(&name, &why)),
        None if output.exported > 0 => checkup.fact(format!("{name}: delivered")),
        None => {}
    }
}
