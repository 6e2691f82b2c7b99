//! `AnyValue` and `KeyValue`, written as text while they are read.

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess};

use super::scalars::Text;
use crate::graph::value::{ValueText, Values, MAX_DEPTH};
use crate::json_stream::{read, Fill, Stream};

impl<'de> Deserialize<'de> for ValueText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(read(AnyValue::default(), deserializer)?.text)
    }
}

/// A list of attributes.
impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(read(Elements::default(), deserializer)?.values)
    }
}

/// An `AnyValue`, or a `KeyValue`, which consists of a key and an `AnyValue`.
#[derive(Default)]
struct AnyValue {
    key: Text,
    text: ValueText,
    /// In how many lists and maps it is nested. The recursion ends with [`MAX_DEPTH`].
    depth: usize,
}

impl Stream for AnyValue {
    const EXPECTED: &'static str = "an object";

    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "key" => self.key = map.next_value()?,
            "value" => map.next_value_seed(Fill(self))?,
            "stringValue" | "string_value" | "bytesValue" | "bytes_value" => {
                self.text = ValueText::string(map.next_value::<Text>()?.0);
            }
            "boolValue" | "bool_value" | "intValue" | "int_value" | "doubleValue" | "double_value" => {
                self.text = ValueText::literal(map.next_value::<Text>()?.0);
            }
            "arrayValue" | "array_value" => self.text = self.elements(map, Values::into_list)?,
            "kvlistValue" | "kvlist_value" => self.text = self.elements(map, Values::into_map)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl AnyValue {
    /// A list or a map.
    fn elements<'de, A: MapAccess<'de>>(
        &self,
        map: &mut A,
        text: fn(Values) -> ValueText,
    ) -> Result<ValueText, A::Error> {
        if self.depth == MAX_DEPTH {
            return map.next_value::<IgnoredAny>().map(|_| ValueText::too_deep());
        }
        let mut elements = Elements { values: Values::nested(), depth: self.depth + 1 };
        map.next_value_seed(Fill(&mut elements))?;
        Ok(text(elements.values))
    }
}

/// A list of values or of keys and values; or an object that has it as its member `values`.
#[derive(Default)]
struct Elements {
    values: Values,
    depth: usize,
}

impl Stream for Elements {
    const EXPECTED: &'static str = "a list of objects";

    fn member<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<bool, A::Error> {
        match name {
            "values" => map.next_value_seed(Fill(self)).map(|()| true),
            _ => Ok(false),
        }
    }

    fn element<'de, A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        let mut element = AnyValue { depth: self.depth, ..AnyValue::default() };
        let is_there = list.next_element_seed(Fill(&mut element))?.is_some();
        if is_there {
            self.values.push(element.key.0, element.text);
        }
        Ok(is_there)
    }
}
