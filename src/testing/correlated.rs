//! Whether each record has the ids of the span that it was logged in.

use crate::testing::kept::Contents;
use crate::testing::record::{Place, Record};
use crate::testing::table;

/// The text of the failure. `None`: all are correlated.
pub(crate) fn failure(contents: &Contents) -> Option<String> {
    let records = &contents.records;
    if records.iter().all(|record| record.place == Place::Outside && record.span_id.is_none()) {
        return Some(format!(
            "no record was logged in a span, so there is nothing to check\n\n{}",
            table::of(contents)
        ));
    }
    let faults: Vec<_> = records.iter().filter_map(|record| fault(record, contents)).collect();
    if faults.is_empty() {
        return None;
    }
    let (count, all) = (faults.len(), records.len());
    Some(format!("{count} of {all} records not correlated:\n{}\n{}", faults.concat(), table::of(contents)))
}

fn fault(record: &Record, contents: &Contents) -> Option<String> {
    let why = match (&record.place, record.span_id) {
        (Place::Elsewhere(span), None) => format!("logged in the span {span:?}, but without ids"),
        (Place::Elsewhere(span), Some(_)) => {
            format!("logged in the span {span:?}, but {}", table::place_of(record, contents))
        }
        (Place::Remote, _) => return None,
        (_, Some(id)) if contents.span(id).is_none() => {
            format!("its span {id} is unknown: another test's, or made by another tracer provider")
        }
        _ => return None,
    };
    Some(format!("  ✗ {} {:?}: {why}\n", record.severity.name(), record.body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(place: Place) -> Contents {
        let mut contents = Contents::default();
        contents.records.push(Record { place, ..Record::new("target") });
        contents
    }

    /// Scenario: what the layers of this crate do not do: a record without ids, or with those of
    /// another span.
    #[test]
    fn a_record_that_is_not_where_its_event_was_is_named() {
        let mut wrong = contents(Place::Elsewhere("deploy".to_owned()));
        let said = failure(&wrong).expect("it has no ids");
        assert!(said.starts_with("1 of 1 records not correlated:\n"), "{said}");
        assert!(said.contains("\"\": logged in the span \"deploy\", but without ids\n"), "{said}");
        wrong.records[0].span_id = Some(opentelemetry::SpanId::from(7));
        let said = failure(&wrong).expect("its ids are another span's");
        assert!(said.contains("\"deploy\", but in the unknown span 0000000000000007\n"), "{said}");
        assert!(failure(&contents(Place::Inside)).is_none());
    }
}
