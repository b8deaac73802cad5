//! Fields whose values are a few words.

/// `Display`, and the form as a field, of an enumeration whose variants are words.
macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal,)* }) => {
        impl $type {
            const WORDS: &'static [&'static str] = &[$($word),*];
        }

        impl core::fmt::Display for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(match self {
                    $(Self::$variant => $word,)*
                })
            }
        }

        impl $crate::config::fields::FieldType for $type {
            const KIND: $crate::config::fields::Kind =
                $crate::config::fields::Kind::Word(Self::WORDS);

            fn to_value(&self) -> $crate::config::fields::Value {
                let word = match self {
                    $(Self::$variant => $word,)*
                };
                $crate::config::fields::Value::Word(Self::WORDS, word)
            }

            fn from_value(value: $crate::config::fields::Value) -> Option<Self> {
                match value {
                    $($crate::config::fields::Value::Word(_, $word) => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}
