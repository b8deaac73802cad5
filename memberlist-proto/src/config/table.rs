//! The macro that declares a struct of the configuration together with the table of its fields.
//!
//! A row of such a declaration reads like this, each part after the default being optional:
//!
//! ```text
//! /// The time between two probes.
//! [live] probe_interval: Duration = (1 s), wan (5 s), within (0 or 1 ms to 24 h),
//!     go "ProbeInterval";
//! ```
//!
//! | part | what it says | who uses it |
//! |---|---|---|
//! | the comment | what the field does and in which unit | rustdoc, `docs/agent.toml` |
//! | `[live]` | it can change while the node runs | [`Timing`](super::Timing), the agent's `set` |
//! | `= (…)` | its value in [`Config::lan`](super::Config::lan) | the presets, `Default` |
//! | `wan (…)`, `local (…)` | its value in the other presets, if it differs | the presets |
//! | `none (…)` | its value in [`Differences::none`](super::Differences::none) | that function |
//! | `within (…)` | the values allowed | `Config::validate`, `Field::set` |
//! | `go "…"` | the name of the same thing in the Go library | rustdoc, `docs/agent.toml` |
//! | `by adapter` | the adapter sets it, not the user | the agent, which leaves it out |
//!
//! Default and bounds are also appended to the field's documentation, so that the comment need not
//! repeat them. Rules that concern several fields are checked in `validate.rs`.

/// Declares one struct: its fields, presets and table. `in []` is the configuration itself,
/// `in [limits]` the struct in its field `limits`.
macro_rules! table {
    (
        $(#[$about:meta])*
        pub struct $name:ident in $group:tt $(, timing $timing:ident)? {
            $($section:literal {
                $(
                    $(#[$($attribute:tt)*])*
                    $([$live:ident])? $field:ident: $type:ty = ($($lan:tt)+)
                        $(, wan ($($wan:tt)+))?
                        $(, local ($($local:tt)+))?
                        $(, none ($($none:tt)+))?
                        $(, within ($($within:tt)+))?
                        $(, go $go:literal)?
                        $(, by $adapter:ident)?;
                )*
            })*
            $(groups {
                $(
                    $(#[$group_about:meta])*
                    $([$group_live:ident])? $group_field:ident: $group_type:ty;
                )*
            })?
        }
    ) => {
        $(#[$about])*
        #[non_exhaustive]
        pub struct $name {
            $($(
                $(#[$($attribute)*])*
                #[doc = concat!(
                    "\n\nDefault: `", stringify!($($lan)+), "`",
                    $("; in `Config::wan`: `", stringify!($($wan)+), "`",)?
                    $("; in `Config::local`: `", stringify!($($local)+), "`",)?
                    $("; in `Differences::none`: `", stringify!($($none)+), "`",)?
                    ".",
                    $(" Allowed: `", stringify!($($within)+), "`.",)?
                    $(" In Go: `", $go, "`.",)?
                )]
                pub $field: $type,
            )*)*
            $($(
                $(#[$group_about])*
                pub $group_field: $group_type,
            )*)?
        }

        impl $name {
            /// Returns these values with some of them changed, as an expression. It stands in for
            /// `..` in a struct expression, which is not possible where fields may be added later.
            #[must_use = "the changed values are returned"]
            pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
                change(&mut self);
                self
            }

            /// The table: one entry for each field, in the order of the struct.
            pub(in crate::config) const FIELDS: &'static [Field] = &[$($(
                Field {
                    path: path!($group $field),
                    section: $section,
                    doc: &[$(doc_line!($($attribute)*)),*],
                    kind: <$type as FieldType>::KIND,
                    bounds: bounds!($($($within)+)?),
                    go: option!($($go)?),
                    live: is_marked!($($live)?),
                    by_adapter: is_marked!($($adapter)?),
                    get: |config| FieldType::to_value(&place!(config $group $field)),
                    set: |config, value| {
                        FieldType::from_value(value)
                            .map(|value| place!(config $group $field) = value)
                            .is_some()
                    },
                },
            )*)*];

            #[allow(clippy::match_single_binding)] // Most fields are the same in every preset.
            pub(in crate::config) fn preset(preset: Preset) -> Self {
                Self {
                    $($($field: match preset {
                        $(Preset::Wan => value!($($wan)+),)?
                        $(Preset::Local => value!($($local)+),)?
                        $(Preset::None => value!($($none)+),)?
                        _ => value!($($lan)+),
                    },)*)*
                    $($($group_field: <$group_type>::preset(preset),)*)?
                }
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::preset(Preset::Lan)
            }
        }

        timing! {
            $($timing)?
            $($($([$live] $field: $type;)?)*)*
            $($($([$group_live] $group_field: $group_type;)?)*)?
        }
    };
}

/// The struct of those fields of the configuration that are marked `[live]`.
macro_rules! timing {
    () => {};
    // The fields of a group are live or not as a whole: there is no struct for a part of it.
    ($([live] $field:ident: $type:ty;)*) => {};
    ($timing:ident $([live] $field:ident: $type:ty;)*) => {
        /// The part of a [`Config`] that can change while the node runs (`reconfigure`): the fields of
        /// the same names.
        #[derive(Clone, Copy, Debug, PartialEq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[non_exhaustive]
        pub struct $timing {
            $(
                #[doc = concat!("See [`Config::", stringify!($field), "`].")]
                pub $field: $type,
            )*
        }

        impl $timing {
            /// Returns these values with some of them changed, as an expression.
            #[must_use = "the changed values are returned"]
            pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
                change(&mut self);
                self
            }
        }

        impl Config {
            /// The part that can change while the node runs.
            pub fn timing(&self) -> $timing {
                $timing { $($field: self.$field,)* }
            }

            /// Sets these fields. They are not checked before [`validate`](Self::validate).
            pub fn set_timing(&mut self, timing: $timing) {
                $(self.$field = timing.$field;)*
            }
        }
    };
}

/// A value as the table writes it: a number with a unit, or an expression.
macro_rules! value {
    (empty) => {
        Default::default()
    };
    ($number:literal ms) => {
        Duration::from_millis($number)
    };
    ($number:literal s) => {
        Duration::from_secs($number)
    };
    ($number:literal h) => {
        Duration::from_secs($number * 3600)
    };
    ($number:literal bytes) => {
        $number
    };
    ($number:literal percent) => {
        $number
    };
    ($number:literal MiB) => {
        $number << 20
    };
    ($value:expr) => {
        $value
    };
}

/// A bound as a number: of nanoseconds, bytes, entries, or whatever is counted.
macro_rules! bound {
    ($number:literal us) => {
        $number * 1_000
    };
    ($number:literal ms) => {
        $number * 1_000_000
    };
    ($number:literal s) => {
        $number * 1_000_000_000
    };
    ($number:literal h) => {
        $number * 3_600_000_000_000
    };
    ($number:literal KiB) => {
        $number << 10
    };
    ($number:literal MiB) => {
        $number << 20
    };
    ($number:literal GiB) => {
        $number << 30
    };
    ($number:literal $(bytes)? $(entries)? $(percent)?) => {
        $number
    };
}

/// What `within (…)` allows: `1 to 5`, `1 ms to 24 h`, `0 or 1 ms to 24 h`; nothing for any value.
macro_rules! bounds {
    () => { Bounds { zero: false, min: 0, max: u64::MAX, text: "" } };
    (0 or $($range:tt)+) => {
        Bounds { zero: true, text: stringify!(0 or $($range)+), ..bounds!($($range)+) }
    };
    ($min:literal to $max:literal $($unit:ident)?) => {
        Bounds {
            zero: false,
            min: $min,
            max: bound!($max $($unit)?),
            text: stringify!($min to $max $($unit)?),
        }
    };
    ($min:literal $min_unit:ident to $max:literal $unit:ident) => {
        Bounds {
            zero: false,
            min: bound!($min $min_unit),
            max: bound!($max $unit),
            text: stringify!($min $min_unit to $max $unit),
        }
    };
}

/// The name by which a field is set, with a dot before a field of a group.
macro_rules! path {
    ([] $field:ident) => {
        stringify!($field)
    };
    ([$group:ident] $field:ident) => {
        concat!(stringify!($group), ".", stringify!($field))
    };
}

/// The place of a field within the whole configuration.
macro_rules! place {
    ($config:ident [] $field:ident) => {
        $config.$field
    };
    ($config:ident [$group:ident] $field:ident) => {
        $config.$group.$field
    };
}

/// The text of an attribute that is a line of documentation; `None` for others.
macro_rules! doc_line {
    (doc = $line:literal) => {
        Some($line)
    };
    ($($other:tt)*) => {
        None
    };
}

macro_rules! option {
    () => {
        None
    };
    ($value:literal) => {
        Some($value)
    };
}

macro_rules! is_marked {
    () => {
        false
    };
    ($mark:ident) => {
        true
    };
}
