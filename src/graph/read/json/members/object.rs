//! Objects and lists of objects, read member by member.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::scalars::Name;

/// An object whose members are read into `Self`.
pub(in crate::graph::read::json) trait Object {
    /// The known ones, in lowerCamelCase.
    const NAMES: &'static [&'static str];

    /// Before its members. An object may be read many times, for the elements of a list.
    fn begin(&mut self) {}

    /// Takes the value of the member `name`, which is one of [`NAMES`](Self::NAMES).
    fn member<'de, A: MapAccess<'de>>(&mut self, name: &'static str, map: &mut A) -> Result<(), A::Error>;

    /// After its members.
    fn end(&mut self) {}
}

/// Reads one object, or `null`.
pub(in crate::graph::read::json) struct Of<'a, T>(pub(in crate::graph::read::json) &'a mut T);

/// Reads a list of objects, or `null`.
pub(super) struct Each<'a, T>(pub(super) &'a mut T);

impl<'de, T: Object> DeserializeSeed<'de> for Of<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Object> Visitor<'de> for Of<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        self.0.begin();
        while let Some(name) = map.next_key_seed(Name(T::NAMES))? {
            match name {
                Some(name) => self.0.member(name, &mut map)?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        self.0.end();
        Ok(())
    }
}

impl<'de, T: Object> DeserializeSeed<'de> for Each<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Object> Visitor<'de> for Each<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Of(&mut *self.0))?.is_some() {}
        Ok(())
    }
}
