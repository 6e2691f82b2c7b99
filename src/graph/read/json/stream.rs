//! Objects and lists that are read piece by piece, so that they need not fit into memory.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};

/// What an object or a list is read into. `null` changes nothing.
pub(super) trait Stream: Sized {
    const EXPECTED: &'static str;

    /// Reads the value of a member; returns whether its name is known. Names are lowerCamelCase or,
    /// as protobuf's JSON readers accept them too, snake_case.
    fn member<'de, A: MapAccess<'de>>(&mut self, _name: &str, _map: &mut A) -> Result<bool, A::Error> {
        Err(A::Error::invalid_type(Unexpected::Map, &Self::EXPECTED))
    }

    /// Called after the members of an object; there may be several, one after the other.
    fn end(&mut self) {}

    /// Reads the next element of a list, an object unless overridden; returns whether there was
    /// one.
    fn element<'de, A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        list.next_element_seed(Fill(self)).map(|element| element.is_some())
    }
}

pub(super) fn read<'de, T: Stream, D: Deserializer<'de>>(mut into: T, from: D) -> Result<T, D::Error> {
    Fill(&mut into).deserialize(from)?;
    Ok(into)
}

/// Reads an object or a list into what it refers to.
pub(super) struct Fill<'a, T>(pub(super) &'a mut T);

impl<'de, T: Stream> DeserializeSeed<'de> for Fill<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Stream> Visitor<'de> for Fill<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if !self.0.member(&name, &mut map)? {
                map.next_value::<IgnoredAny>()?;
            }
        }
        self.0.end();
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while self.0.element(&mut list)? {}
        Ok(())
    }
}
