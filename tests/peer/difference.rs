//! The comparison: what differs between the peer's record and ours, by name.
//!
//! Each name has one reason. A difference without a known reason is an error, so each rule here is
//! as narrow as its reason.

use std::collections::BTreeSet;

use spanlog::Keys;

use crate::fixture::{Line, Played};
use crate::script::{Parent, Script};

pub(crate) type Names = BTreeSet<&'static str>;

/// The named differences of a script's records, or a description of one that has no name.
pub(crate) fn differences(script: &Script, peer: &Played, ours: &Played) -> Result<Names, String> {
    let mut names = Names::new();
    if peer.panicked && !ours.panicked && peer.lines.len() < ours.lines.len() {
        names.insert("panicking-value");
        return Ok(names);
    }
    if peer.panicked || ours.panicked || peer.lines.len() != ours.lines.len() {
        return Err(format!("number of records, or a panic\n  peer {peer:#?}\n  ours {ours:#?}"));
    }
    for (peer, ours) in peer.lines.iter().zip(&ours.lines) {
        let mut pair = Pair { script, peer, ours, names: &mut names, left: peer.attributes.clone() };
        pair.compare().map_err(|what| format!("{what}\n  peer {peer:#?}\n  ours {ours:#?}"))?;
    }
    Ok(names)
}

struct Pair<'a> {
    script: &'a Script,
    peer: &'a Line,
    ours: &'a Line,
    names: &'a mut Names,
    /// The peer's attributes, turned into ours step by step.
    left: Vec<(String, String)>,
}

impl Pair<'_> {
    fn name(&mut self, name: &'static str) {
        self.names.insert(name);
    }

    fn is_log(&self) -> bool {
        self.peer.event_name.as_deref() == Some("log event")
    }

    fn compare(&mut self) -> Result<(), String> {
        self.times()?;
        self.severity()?;
        self.body()?;
        self.event_name()?;
        self.scope()?;
        self.ids()?;
        self.attributes()
    }

    fn times(&mut self) -> Result<(), String> {
        if !self.peer.has_observed_time || !self.ours.has_observed_time {
            return Err("observed time".into());
        }
        match (self.peer.has_time, self.ours.has_time) {
            (false, true) => self.name("timestamp"),
            (peer, ours) if peer == ours => {}
            _ => return Err("time".into()),
        }
        Ok(())
    }

    fn severity(&mut self) -> Result<(), String> {
        let severity = |line: &Line| (line.severity_number, line.severity_text.clone());
        if severity(self.peer) == severity(self.ours) {
            return Ok(());
        }
        let asked = self.peer.get("otel.severity_number").and_then(|number| number.parse().ok());
        if asked.is_none() || asked != self.ours.severity_number {
            return Err("severity".into());
        }
        self.name("severity-override");
        Ok(())
    }

    fn body(&mut self) -> Result<(), String> {
        if self.peer.body == self.ours.body {
            return Ok(());
        }
        let (None, Some(body)) = (&self.peer.body, &self.ours.body) else { return Err("body".into()) };
        let is_there = |line: &Line, keys: &[&str]| {
            line.attributes.iter().any(|(key, value)| keys.contains(&key.as_str()) && value == body)
        };
        if self.take_left("message", body) {
            self.name("typed-body");
        } else if is_there(self.ours, &["exception.message", "error", "err"]) {
            self.name("body-from-error");
        } else if self.take_left("exception.message", body) {
            self.name("error-as-message");
        } else if self.ours.event_name.as_ref().is_some_and(|name| format!("{name:?}") == *body) {
            self.name("body-from-name");
        } else {
            return Err("body".into());
        }
        Ok(())
    }

    fn event_name(&mut self) -> Result<(), String> {
        match (&self.peer.event_name, &self.ours.event_name) {
            (peer, ours) if peer == ours => {}
            (Some(peer), None) if peer == "log event" => self.name("log-event-name"),
            (Some(peer), None) if peer.starts_with("event ") && peer.contains(".rs:") => {
                self.name("generated-event-name");
            }
            _ => return Err("event_name".into()),
        }
        Ok(())
    }

    fn scope(&mut self) -> Result<(), String> {
        if self.peer.scope == self.ours.scope {
            return Ok(());
        }
        if self.peer.scope != "log" || self.peer.get("log.target") != Some(&format!("{:?}", self.ours.scope))
        {
            return Err("scope".into());
        }
        self.name("log-scope");
        Ok(())
    }

    fn ids(&mut self) -> Result<(), String> {
        let ids = |line: &Line| (line.span.clone(), line.trace.clone(), line.flags);
        if ids(self.peer) == ids(self.ours) {
            return Ok(());
        }
        let ours = self.ours.span.as_deref();
        match self.script.parent {
            Parent::Root if ours.is_none() => self.name("parent-none-ids"),
            Parent::Explicit(span) if ours == Some(span) => self.name("explicit-parent-ids"),
            Parent::Contextual if !self.script.activation && ours.is_some() => {
                self.name("ids-without-activation");
            }
            _ => return Err("ids".into()),
        }
        Ok(())
    }

    fn attributes(&mut self) -> Result<(), String> {
        if has_key_twice(&self.ours.attributes) {
            return Err("attributes: a key of ours is there twice".into());
        }
        let mut right = self.ours.attributes.clone();
        self.take_left_where("control-fields", |key| key.starts_with("otel."));
        if self.is_log() {
            self.take_left_where("log-metadata", |key| key.starts_with("log."));
        }
        for key in self.script.key_values {
            if take_key(&mut right, key) {
                self.left.retain(|(known, _)| known != key);
                self.name("log-key-values");
            }
        }
        self.errors(&mut right);
        self.stamps(&mut right);
        if has_key_twice(&self.left) {
            self.name("duplicate-keys");
            // The position of the remaining value is documented in the table, and not compared.
            let twice: Vec<String> = self
                .left
                .iter()
                .map(|(key, _)| key.clone())
                .filter(|key| self.left.iter().filter(|(known, _)| known == key).count() > 1)
                .collect();
            for key in twice {
                let last = self.left.iter().rev().find(|(known, _)| *known == key).cloned();
                self.left.retain(|(known, _)| *known != key);
                let place = right.iter().position(|attribute| Some(attribute) == last.as_ref());
                if let Some(place) = place {
                    right.remove(place);
                } else if let Some(last) = last {
                    self.left.push(last);
                }
            }
        }
        self.span_fields(&mut right);
        if self.left.len() > right.len() && right.len() == 128 {
            let cut = self.left.len() - 128;
            self.left.drain(..cut);
            self.name("attribute-limit");
        }
        if self.left != right {
            return Err(format!("attributes: {:?} is not {right:?}", self.left));
        }
        Ok(())
    }

    /// Errors: ours has one exception in a record, with type and chain, and others under their own
    /// keys.
    fn errors(&mut self, right: &mut Vec<(String, String)>) {
        for (key, name) in
            [("exception.type", "exception-type"), ("exception.stacktrace", "exception-stacktrace")]
        {
            if !self.left.iter().any(|(known, _)| known == key) && take_key(right, key) {
                self.name(name);
            }
        }
        let own = right.iter().find(|(key, _)| key == "exception.message").cloned();
        let own_place = self.left.iter().rposition(|attribute| Some(attribute) == own.as_ref());
        for (key, text) in right.iter() {
            if self.left.iter().any(|(known, _)| known == key) {
                continue;
            }
            let place = self.left.iter().enumerate().position(|(at, (known, value))| {
                known == "exception.message" && value == text && Some(at) != own_place
            });
            let Some(place) = place else { continue };
            self.left[place].0.clone_from(key);
            let inherited = own_place.is_none_or(|own| place < own);
            self.name(if inherited { "span-error" } else { "second-error" });
        }
    }

    /// Attributes that only ours has, by the keys that only ours writes.
    fn stamps(&mut self, right: &mut Vec<(String, String)>) {
        let keys = Keys::nuon();
        for (name, keys) in [
            ("job-stamps", [keys.job_id(), keys.execution_id(), keys.step_name()].as_slice()),
            ("op-stamps", &[keys.tool(), keys.operation()]),
        ] {
            for key in keys {
                if !self.left.iter().any(|(known, _)| known == key) && take_key(right, key) {
                    self.name(name);
                }
            }
        }
    }

    /// If the peer was not asked for span fields, ours come first.
    fn span_fields(&mut self, right: &mut Vec<(String, String)>) {
        while !self.script.span_attributes && right.len() > self.left.len() {
            if self.left.iter().any(|(known, _)| *known == right[0].0) {
                return;
            }
            right.remove(0);
            self.name("span-fields");
        }
    }

    fn take_left(&mut self, key: &str, value: &str) -> bool {
        let place = self.left.iter().position(|(known, text)| known == key && text == value);
        place.map(|place| self.left.remove(place)).is_some()
    }

    fn take_left_where(&mut self, name: &'static str, is_taken: impl Fn(&str) -> bool) {
        let before = self.left.len();
        self.left.retain(|(key, _)| !is_taken(key));
        if self.left.len() != before {
            self.name(name);
        }
    }
}

fn take_key(attributes: &mut Vec<(String, String)>, key: &str) -> bool {
    let place = attributes.iter().position(|(known, _)| known == key);
    place.map(|place| attributes.remove(place)).is_some()
}

fn has_key_twice(attributes: &[(String, String)]) -> bool {
    let keys: BTreeSet<_> = attributes.iter().map(|(key, _)| key).collect();
    keys.len() != attributes.len()
}
