//! The types of columns that are neither text, integers nor blobs as they are. Not here: tables, and the states of rows,
//! which stand beside their queries.

use std::{fmt, str::FromStr};

use obelus_core::{Digest, DigestError, Timestamp};
use sea_orm::{
    ColIdx, DbErr, DeriveValueType, QueryResult, TryFromU64, TryGetError, TryGetable, Value,
    sea_query::{ArrayType, ColumnType, Nullable, ValueType, ValueTypeErr, postgres_array::NotU8},
};

/// A digest, kept as lowercase hexadecimal text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
#[sea_orm(value_type = "String", column_type = "Text")]
pub struct Sha256(pub Digest);

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Sha256 {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        text.parse().map(Self)
    }
}

impl From<Digest> for Sha256 {
    fn from(digest: Digest) -> Self {
        Self(digest)
    }
}

impl From<Sha256> for Digest {
    fn from(column: Sha256) -> Self {
        column.0
    }
}

// Primary keys must say whether the database may number them.
impl TryFromU64 for Sha256 {
    fn try_from_u64(_: u64) -> Result<Self, DbErr> {
        Err(DbErr::ConvertFromU64("Sha256"))
    }
}

/// A point in time, kept as microseconds since 1970 in UTC: text would not sort.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Micros(pub Timestamp);

impl From<Timestamp> for Micros {
    fn from(time: Timestamp) -> Self {
        Self(time)
    }
}

impl From<Micros> for Timestamp {
    fn from(column: Micros) -> Self {
        column.0
    }
}

impl From<Micros> for Value {
    fn from(column: Micros) -> Self {
        column.0.as_micros().into()
    }
}

impl TryGetable for Micros {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        i64::try_get_by(row, index).map(|us| Self(Timestamp::from_micros(us)))
    }
}

impl ValueType for Micros {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        <i64 as ValueType>::try_from(value).map(|us| Self(Timestamp::from_micros(us)))
    }

    fn type_name() -> String {
        "Micros".to_owned()
    }

    fn array_type() -> ArrayType {
        ArrayType::BigInt
    }

    fn column_type() -> ColumnType {
        ColumnType::BigInteger
    }
}

impl Nullable for Micros {
    fn null() -> Value {
        Value::BigInt(None)
    }
}

impl NotU8 for Micros {}

/// Exactly 32 bytes: salts, seeds and keys, kept as a blob. Printing it shows nothing, for some of them are secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes32(pub [u8; 32]);

impl fmt::Debug for Bytes32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bytes32(..)")
    }
}

impl From<[u8; 32]> for Bytes32 {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl From<Bytes32> for Value {
    fn from(column: Bytes32) -> Self {
        column.0.to_vec().into()
    }
}

impl TryGetable for Bytes32 {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        let bytes = Vec::<u8>::try_get_by(row, index)?;
        let found = bytes.len();
        let wrong = |_| TryGetError::DbErr(DbErr::Type(format!("{found} bytes are stored where there must be 32")));
        bytes.try_into().map(Self).map_err(wrong)
    }
}

impl ValueType for Bytes32 {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        let bytes = <Vec<u8> as ValueType>::try_from(value)?;
        bytes.try_into().map(Self).map_err(|_| ValueTypeErr)
    }

    fn type_name() -> String {
        "Bytes32".to_owned()
    }

    fn array_type() -> ArrayType {
        ArrayType::Bytes
    }

    fn column_type() -> ColumnType {
        ColumnType::Blob
    }
}

impl Nullable for Bytes32 {
    fn null() -> Value {
        Value::Bytes(None)
    }
}

impl NotU8 for Bytes32 {}

/// A list of names, kept as JSON text: the databases do not agree on arrays. Nothing signed is read from it.
#[derive(Clone, Debug, Default, PartialEq, Eq, DeriveValueType)]
#[sea_orm(value_type = "String", column_type = "Text")]
pub struct Names(pub Vec<String>);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", serde_json::Value::from(self.0.as_slice()))
    }
}

impl FromStr for Names {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text).map(Self)
    }
}

/// The text that is not one of a column's words.
#[derive(Debug, thiserror::Error)]
#[error("{found:?} is none of {expected}")]
pub struct UnknownWord {
    /// What was read.
    pub(crate) found: String,
    /// The words there are.
    pub(crate) expected: String,
}

/// An enum that is written as one word, in the database and everywhere else.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$variant_about:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, sea_orm::DeriveValueType)]
        #[sea_orm(value_type = "String", column_type = "Text")]
        pub enum $name {
            $($(#[$variant_about])* $variant,)+
        }

        impl $name {
            /// Every value there is.
            pub const ALL: &[Self] = &[$(Self::$variant),+];
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Self::$variant => $word,)+ })
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::column::UnknownWord;

            fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::column::UnknownWord {
                        found: text.to_owned(),
                        expected: [$($word),+].join(", "),
                    }),
                }
            }
        }
    };
}
pub(crate) use words;

#[cfg(test)]
mod tests {
    use super::*;

    words!(
        /// For the test.
        Colour { /// Red.
            Red = "red", /// Blue.
            Blue = "blue" }
    );

    #[test]
    fn words_round_trip_and_others_are_refused() {
        for colour in Colour::ALL {
            assert_eq!(colour.to_string().parse::<Colour>().unwrap(), *colour);
        }
        assert_eq!("green".parse::<Colour>().unwrap_err().to_string(), "\"green\" is none of red, blue");
    }

    #[test]
    fn lists_of_names_round_trip() {
        let names = Names(vec!["a\"b".to_owned(), "ü".to_owned()]);
        assert_eq!(names.to_string().parse::<Names>().unwrap(), names);
        assert_eq!(Names::default().to_string(), "[]");
    }
}
