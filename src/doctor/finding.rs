//! What a check-up can find, in words, with what to do about it.

use std::fmt;

use tracing::Level;

/// What to do where nobody answers.
pub(crate) const SILENT: &str =
    "something may drop packets on the way (a firewall, a proxy), or the receiver hangs";

/// What is wrong, what that means, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What is wrong.
    pub problem: Problem,
    /// The same in words, with names and values.
    pub text: String,
    /// What to do about it.
    pub advice: String,
}

/// What a check-up can find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Problem {
    /// The thread has no subscriber.
    NoSubscriber,
    /// The subscriber has no layer of this crate.
    OtherSubscriber,
    /// What [`build`](crate::install::Builder::build) made is not the thread's subscriber.
    NotDefault,
    /// `OTEL_SDK_DISABLED` is set.
    Disabled,
    /// The guard or a pipeline was shut down.
    ShutDown,
    /// The process was forked after a pipeline was made, whose threads it does not have.
    Forked,
    /// Records or spans go to no receiver and no file.
    NoDestination,
    /// No event becomes a record, as no log layer is there.
    NoLogLayer,
    /// A log layer made no record of the event.
    NoRecord,
    /// The span has no ids: no layer of tracing-opentelemetry is there, or one of another version.
    NoSpanLayer,
    /// The span has no valid ids, as its tracer is shut down or does nothing.
    NoTracer,
    /// A layer, sampler or processor panicked.
    Panicked,
    /// A layer, sampler or processor did not return until the deadline.
    Stuck,
    /// A filter disables all events.
    EventsFiltered,
    /// A filter disables spans, whose records have no ids then.
    SpansFiltered,
    /// A layer of this crate has a per-layer filter.
    PerLayerFilter,
    /// The sampler takes no trace, or next to none.
    NotSampled,
    /// Nobody answers at the receiver's address.
    Unreachable,
    /// Something answers that does not speak the protocol.
    WrongServer,
    /// The receiver has no such path or method, or redirects to another one.
    WrongPath,
    /// TLS failed.
    Tls,
    /// A proxy does not let requests pass.
    Proxy,
    /// The receiver wants other credentials.
    Unauthorized,
    /// The receiver refused what was sent.
    Refused,
    /// It did not arrive in time, or was lost, for another reason.
    NotDelivered,
    /// A warning: the sampler takes few traces.
    PartlySampled,
    /// A warning: the receiver accepted it, with a message.
    ReceiverWarning,
    /// A warning: `service.name` is not set.
    NoServiceName,
    /// A warning: the clocks of the receiver and of this machine differ by more than 5 seconds, by the `Date`
    /// of its answer over HTTP.
    ClockSkew,
}

impl Problem {
    /// Whether telemetry arrives in spite of it.
    pub fn is_warning(self) -> bool {
        matches!(self, Self::PartlySampled | Self::ReceiverWarning | Self::NoServiceName | Self::ClockSkew)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.problem.is_warning() { "warning" } else { "problem" };
        write!(f, "{kind}: {}\n    {}", self.text, self.advice)
    }
}

impl Finding {
    pub(crate) fn new(problem: Problem, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { problem, text: text.into(), advice: advice.into() }
    }

    pub(crate) fn disabled() -> Self {
        Self::new(
            Problem::Disabled,
            "OTEL_SDK_DISABLED is true: nothing is sent",
            "unset it, unless that is what you want",
        )
    }

    pub(crate) fn no_subscriber() -> Self {
        Self::new(
            Problem::NoSubscriber,
            "this thread has no subscriber, so that nothing is logged",
            "call `spanlog::builder().install()` first in `main`, and keep the guard that it returns",
        )
    }

    pub(crate) fn no_layers() -> Self {
        if std::env::var("OTEL_SDK_DISABLED").is_ok_and(|value| value.eq_ignore_ascii_case("true")) {
            return Self::disabled();
        }
        Self::new(
            Problem::OtherSubscriber,
            "the subscriber of this thread has no layer of this crate",
            "a process has one global subscriber, and `install` returns an error (`Error::is_already_set`) if \
             there is one: leave out the other (`tracing_subscriber::fmt::init()`, for example), and add its \
             layers with `with_layer`",
        )
    }

    #[cfg(feature = "install")]
    pub(crate) fn not_default() -> Self {
        Self::new(
            Problem::NotDefault,
            "what was built is not the subscriber of this thread, whose events go elsewhere",
            "use `install`, or make the `Dispatch` that `build` returned the default: for the process \
             (`set_global_default`) or in a scope (`with_default`)",
        )
    }

    pub(crate) fn stuck() -> Self {
        Self::new(
            Problem::Stuck,
            "the subscriber did not return until the deadline: a layer, a sampler or a processor waits",
            "does it wait for a lock that this thread holds, such as that of standard error? A queue with \
             `Overflow::Block` waits during an outage, too",
        )
    }

    pub(crate) fn forked() -> Self {
        Self::new(
            Problem::Forked,
            "this process was forked from the one that made the pipeline, and has none of its threads",
            "install telemetry in the child, after the fork",
        )
    }

    pub(crate) fn lost(items: &str, receiver: &str) -> Self {
        Self::new(
            Problem::NotDelivered,
            format!("{items} were lost on their way to {receiver}"),
            "the diagnostics on standard error and the counters (`Guard::outputs`, `Pipeline::stats`) say why: most \
             often the memory limit is reached during an outage",
        )
    }

    pub(crate) fn no_log_layer() -> Self {
        Self::new(
            Problem::NoLogLayer,
            "no log layer makes records of events",
            "add a `LogLayer` to the subscriber; with `install`, choose an exporter that is not `none`",
        )
    }

    pub(crate) fn no_record(target: &str) -> Self {
        Self::new(
            Problem::NoRecord,
            format!("the log layer made no record of an event of the target {target}"),
            "look at `with_level` and `with_targets` of the layer, for a per-layer filter around it, and whether \
             its logger provider has a processor",
        )
    }

    pub(crate) fn no_span_layer() -> Self {
        Self::new(
            Problem::NoSpanLayer,
            "spans have no ids, so that records have none: no layer of tracing-opentelemetry 0.34 is in the \
             subscriber",
            "add `SpanLayer::new(tracing_opentelemetry::layer().with_tracer(..))`. If there is a layer, it is \
             of another version (`cargo tree -i tracing-opentelemetry` and `-i opentelemetry` show one version \
             each when all is well), or has a per-layer filter",
        )
    }

    pub(crate) fn no_ids() -> Self {
        Self::new(
            Problem::NoSpanLayer,
            "records do not get the ids of their span: the log layer does not know its subscriber",
            "a layer inside `reload`, or in a subscriber that is not built on `Registry`, is not told: add it \
             with `.with(layer)`",
        )
    }

    pub(crate) fn no_tracer() -> Self {
        Self::new(
            Problem::NoTracer,
            "spans have no valid ids: their tracer is shut down, or does nothing",
            "give the span layer a tracer of an `SdkTracerProvider` (`with_tracer`) that lives as long as the \
             program",
        )
    }

    pub(crate) fn panicked() -> Self {
        Self::new(
            Problem::Panicked,
            "something in the subscriber panicked when a span was started or an event logged",
            "the panic's message says what and where: a layer, a sampler or a processor",
        )
    }

    pub(crate) fn events_filtered(target: &str) -> Self {
        Self::new(
            Problem::EventsFiltered,
            format!("filters disable all events of the target {target}, so that no record was sent"),
            format!(
                "add `{target}=info` to the directives, and remove those that turn it off{}. If {target} is not \
                 the target of your program, set that: `Doctor::with_target`",
                directives()
            ),
        )
    }

    pub(crate) fn spans_filtered(target: &str) -> Self {
        Self::new(
            Problem::SpansFiltered,
            format!("filters disable spans at INFO of the target {target}: records in them have no ids"),
            format!(
                "let them pass (`{target}=info`){}: events can be filtered in the layers, by `with_level`; \
                 `install` keeps spans unless `with_span_level` or a directive `off` removes them",
                directives()
            ),
        )
    }

    pub(crate) fn filtered_log_layer() -> Self {
        Self::new(
            Problem::PerLayerFilter,
            "a log layer has a per-layer filter. It loses what it should let pass, too: `log::log_enabled!` or \
             `tracing::enabled!` between events confuses it (tracing#2519)",
            "leave out its `with_filter`: use `LogLayer::with_level` and `with_targets`, or a global filter",
        )
    }

    pub(crate) fn filtered_span_layer() -> Self {
        Self::new(
            Problem::PerLayerFilter,
            "the span layer has a per-layer filter. Spans that it rejects are missing, and records in them have \
             no ids; it loses others, too, as `log::log_enabled!` or `tracing::enabled!` between spans confuses \
             it (tracing#2519)",
            "leave out its `with_filter`: use a global filter",
        )
    }

    pub(crate) fn partly_sampled(number: usize) -> Self {
        Self::new(
            Problem::PartlySampled,
            format!(
                "the sampler takes few traces: the first one was number {number}. Records of the others have ids \
                 of spans that are in no store"
            ),
            format!("if that is not what you want, look at `with_sampler` and OTEL_TRACES_SAMPLER{}", sampler()),
        )
    }

    pub(crate) fn not_sampled(tries: usize) -> Self {
        Self::new(
            Problem::NotSampled,
            format!(
                "the sampler took none of {tries} traces: records have ids, but their spans are in no store"
            ),
            format!("look at `with_sampler` and OTEL_TRACES_SAMPLER{}", sampler()),
        )
    }

    #[cfg(feature = "install")]
    pub(crate) fn no_destination(items: &str) -> Self {
        Self::new(
            Problem::NoDestination,
            format!("{items} go to no receiver and no file"),
            "set an endpoint, or a directory (`with_json_lines`); OTEL_LOGS_EXPORTER and OTEL_TRACES_EXPORTER \
             must not be `none`",
        )
    }

    pub(crate) fn shut_down() -> Self {
        Self::new(
            Problem::ShutDown,
            "telemetry is shut down",
            "keep the guard until the end of `main`: `let _guard`, as `let _` drops it at once",
        )
    }

    pub(crate) fn no_service_name() -> Self {
        Self::new(
            Problem::NoServiceName,
            "`service.name` is not set, so that stores file this program under `unknown_service:…`",
            "use `with_service_name(env!(\"CARGO_PKG_NAME\"))`, or set OTEL_SERVICE_NAME",
        )
    }

    pub(crate) fn clock_skew(receiver: &str, seconds_ahead: i64) -> Self {
        let (seconds, side) =
            (seconds_ahead.unsigned_abs(), if seconds_ahead > 0 { "ahead of" } else { "behind" });
        Self::new(
            Problem::ClockSkew,
            format!("the clock of {receiver} is {seconds} s {side} this machine's"),
            "set both by NTP: stores sort by time, and some drop what is old or in the future",
        )
    }
}

/// A level, or none.
pub(crate) fn up_to(level: Option<Level>) -> String {
    level.map_or_else(|| "none".to_owned(), |level| format!("up to {level}"))
}

/// The directives of the environment, in parentheses.
fn directives() -> String {
    of_variable("RUST_LOG")
}

/// The sampler of the environment, in parentheses.
fn sampler() -> String {
    of_variable("OTEL_TRACES_SAMPLER") + &of_variable("OTEL_TRACES_SAMPLER_ARG")
}

fn of_variable(name: &str) -> String {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    value.map(|value| format!(" ({name} is {value:?})")).unwrap_or_default()
}
