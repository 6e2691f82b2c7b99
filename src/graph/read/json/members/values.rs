//! `AnyValue` and `KeyValue`.

use serde::de::{IgnoredAny, MapAccess};

use super::object::{Each, Object, Of};
use super::scalars::Text;
use crate::graph::read::value::{Attributes, ValueText, DEEPEST};

/// A value, or the elements of a list one after the other.
pub(super) struct Value<'a> {
    out: &'a mut ValueText,
    /// In how many lists and maps.
    depth: usize,
    is_first: bool,
    /// How long the text was before this element.
    before: usize,
}

impl<'a> Value<'a> {
    /// One that is in no list or map.
    pub(super) fn alone(out: &'a mut ValueText) -> Self {
        Self::inside(out, 0)
    }

    fn inside(out: &'a mut ValueText, depth: usize) -> Self {
        Self { out, depth, is_first: true, before: 0 }
    }
}

impl Object for Value<'_> {
    const NAMES: &'static [&'static str] =
        &["stringValue", "boolValue", "intValue", "doubleValue", "bytesValue", "arrayValue", "kvlistValue"];

    fn begin(&mut self) {
        if !self.is_first {
            self.out.plain(",");
        }
        self.is_first = false;
        self.before = self.out.text.len();
    }

    fn member<'de, A: MapAccess<'de>>(&mut self, name: &'static str, map: &mut A) -> Result<(), A::Error> {
        // Of a value that says twice what it is, the last counts.
        if !self.out.is_cut {
            self.out.text.truncate(self.before);
        }
        match name {
            "arrayValue" | "kvlistValue" if self.depth == DEEPEST => {
                self.out.plain("…");
                map.next_value::<IgnoredAny>().map(|_| ())
            }
            "arrayValue" => {
                self.out.plain("[");
                map.next_value_seed(Of(&mut Array { out: self.out, depth: self.depth + 1 }))?;
                self.out.plain("]");
                Ok(())
            }
            "kvlistValue" => {
                self.out.plain("{");
                map.next_value_seed(Of(&mut Map { out: self.out, depth: self.depth + 1 }))?;
                self.out.plain("}");
                Ok(())
            }
            // The usual case goes where it belongs without a copy.
            _ if self.depth == 0 => {
                map.next_value_seed(Text(&mut self.out.text))?;
                self.out.cut();
                Ok(())
            }
            _ => {
                let mut text = String::new();
                map.next_value_seed(Text(&mut text))?;
                match name {
                    "stringValue" | "bytesValue" => self.out.quoted(&text),
                    _ => self.out.plain(&text),
                }
                Ok(())
            }
        }
    }

    fn end(&mut self) {
        if self.depth > 0 && self.out.text.len() == self.before {
            self.out.plain("null");
        }
    }
}

struct Array<'a> {
    out: &'a mut ValueText,
    depth: usize,
}

impl Object for Array<'_> {
    const NAMES: &'static [&'static str] = &["values"];

    fn member<'de, A: MapAccess<'de>>(&mut self, _: &'static str, map: &mut A) -> Result<(), A::Error> {
        map.next_value_seed(Each(&mut Value::inside(self.out, self.depth)))
    }
}

struct Map<'a> {
    out: &'a mut ValueText,
    depth: usize,
}

impl Object for Map<'_> {
    const NAMES: &'static [&'static str] = &["values"];

    fn member<'de, A: MapAccess<'de>>(&mut self, _: &'static str, map: &mut A) -> Result<(), A::Error> {
        let entry = Entry {
            out: self.out,
            depth: self.depth,
            is_first: true,
            key: String::new(),
            value: ValueText::default(),
        };
        map.next_value_seed(Each(&mut { entry }))
    }
}

/// An entry of a map: key and value come in any order, so it is written when both are known.
struct Entry<'a> {
    out: &'a mut ValueText,
    depth: usize,
    is_first: bool,
    key: String,
    value: ValueText,
}

impl Object for Entry<'_> {
    const NAMES: &'static [&'static str] = &["key", "value"];

    fn begin(&mut self) {
        self.key.clear();
        self.value = ValueText::default();
    }

    fn member<'de, A: MapAccess<'de>>(&mut self, name: &'static str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "key" => map.next_value_seed(Text(&mut self.key)),
            _ => map.next_value_seed(Of(&mut Value::inside(&mut self.value, self.depth))),
        }
    }

    fn end(&mut self) {
        if !self.is_first {
            self.out.plain(",");
        }
        self.is_first = false;
        self.out.quoted(&self.key);
        self.out.plain(":");
        match self.value.text.as_str() {
            "" => self.out.plain("null"),
            value => self.out.plain(value),
        }
        self.out.is_cut |= self.value.is_cut;
    }
}

/// Attributes, one after the other.
pub(super) struct Pair<'a> {
    attributes: &'a mut Attributes,
    key: String,
    value: ValueText,
}

impl<'a> Pair<'a> {
    pub(super) fn new(attributes: &'a mut Attributes) -> Self {
        Self { attributes, key: String::new(), value: ValueText::default() }
    }
}

impl Object for Pair<'_> {
    const NAMES: &'static [&'static str] = &["key", "value"];

    fn begin(&mut self) {
        self.key.clear();
        self.value = ValueText::default();
    }

    fn member<'de, A: MapAccess<'de>>(&mut self, name: &'static str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "key" => map.next_value_seed(Text(&mut self.key)),
            _ => map.next_value_seed(Of(&mut Value::alone(&mut self.value))),
        }
    }

    fn end(&mut self) {
        self.attributes.push(std::mem::take(&mut self.key), std::mem::take(&mut self.value));
    }
}
