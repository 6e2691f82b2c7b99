//! JSON read piece by piece: objects and lists that need not fit into memory, and structs.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor,
};

/// What an object or a list is read into. `null` changes nothing.
pub(crate) trait Stream: Sized {
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

pub(crate) fn read<'de, T: Stream, D: Deserializer<'de>>(mut into: T, from: D) -> Result<T, D::Error> {
    Fill(&mut into).deserialize(from)?;
    Ok(into)
}

/// Reads an object or a list into what it refers to.
pub(crate) struct Fill<'a, T>(pub(crate) &'a mut T);

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

/// Reads structs from objects: the names of each member, and the field that it is read into. The last one of
/// several counts.
macro_rules! objects {
    ($($type:ident { $($($name:literal)|+ => $field:ident),+ })+) => {$(
        impl $crate::json_stream::Stream for $type {
            const EXPECTED: &'static str = "an object";

            fn member<'de, A: serde::de::MapAccess<'de>>(
                &mut self,
                name: &str,
                map: &mut A,
            ) -> Result<bool, A::Error> {
                match name {
                    $($($name)|+ => self.$field = map.next_value()?,)+
                    _ => return Ok(false),
                }
                Ok(true)
            }

            fn element<'de, A: serde::de::SeqAccess<'de>>(&mut self, _list: &mut A) -> Result<bool, A::Error> {
                Err(serde::de::Error::invalid_type(serde::de::Unexpected::Seq, &Self::EXPECTED))
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::json_stream::read(Self::default(), deserializer)
            }
        }
    )+};
}

pub(crate) use objects;
