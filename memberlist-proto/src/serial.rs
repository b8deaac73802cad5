//! Serialization of values whose derived form would lose something, or make a reader allocate too
//! much.

/// Addresses with everything that they hold: serde's binary form of an IPv6 address leaves out its
/// scope, without which a link-local peer cannot be answered. The text form has it.
pub(crate) mod exact {
    use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
    use alloc::vec::Vec;
    use core::net::{SocketAddr, SocketAddrV6};

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    pub(crate) enum Address {
        V4([u8; 4], u16),
        V6([u8; 16], u16, u32, u32),
    }

    /// A value that holds addresses.
    pub(crate) trait Exact: Sized {
        type Plain;

        fn to_plain(&self) -> Self::Plain;

        fn from_plain(plain: Self::Plain) -> Self;
    }

    pub(crate) fn serialize<T, S>(value: &T, to: S) -> Result<S::Ok, S::Error>
    where
        T: Exact<Plain: Serialize> + Serialize,
        S: Serializer,
    {
        if to.is_human_readable() { value.serialize(to) } else { value.to_plain().serialize(to) }
    }

    pub(crate) fn deserialize<'de, T, D>(from: D) -> Result<T, D::Error>
    where
        T: Exact<Plain: Deserialize<'de>> + Deserialize<'de>,
        D: Deserializer<'de>,
    {
        if from.is_human_readable() {
            T::deserialize(from)
        } else {
            T::Plain::deserialize(from).map(T::from_plain)
        }
    }

    impl Exact for SocketAddr {
        type Plain = Address;

        fn to_plain(&self) -> Address {
            match self {
                Self::V4(it) => Address::V4(it.ip().octets(), it.port()),
                Self::V6(it) => {
                    Address::V6(it.ip().octets(), it.port(), it.flowinfo(), it.scope_id())
                }
            }
        }

        fn from_plain(plain: Address) -> Self {
            match plain {
                Address::V4(ip, port) => (ip, port).into(),
                Address::V6(ip, port, flow, scope) => {
                    SocketAddrV6::new(ip.into(), port, flow, scope).into()
                }
            }
        }
    }

    impl Exact for Option<SocketAddr> {
        type Plain = Option<Address>;

        fn to_plain(&self) -> Self::Plain {
            self.as_ref().map(Exact::to_plain)
        }

        fn from_plain(plain: Self::Plain) -> Self {
            plain.map(Exact::from_plain)
        }
    }

    impl Exact for Vec<SocketAddr> {
        type Plain = Vec<Address>;

        fn to_plain(&self) -> Self::Plain {
            self.iter().map(Exact::to_plain).collect()
        }

        fn from_plain(plain: Self::Plain) -> Self {
            plain.into_iter().map(Exact::from_plain).collect()
        }
    }

    impl Exact for BTreeSet<SocketAddr> {
        type Plain = Vec<Address>;

        fn to_plain(&self) -> Self::Plain {
            self.iter().map(Exact::to_plain).collect()
        }

        fn from_plain(plain: Self::Plain) -> Self {
            plain.into_iter().map(Exact::from_plain).collect()
        }
    }

    impl<K: Clone + Ord, V: Clone> Exact for BTreeMap<K, (V, SocketAddr)> {
        type Plain = Vec<(K, V, Address)>;

        fn to_plain(&self) -> Self::Plain {
            let plain = |(key, (value, at)): (&K, &(V, SocketAddr))| {
                (key.clone(), value.clone(), at.to_plain())
            };
            self.iter().map(plain).collect()
        }

        fn from_plain(plain: Self::Plain) -> Self {
            let exact = |(key, value, at)| (key, (value, SocketAddr::from_plain(at)));
            plain.into_iter().map(exact).collect()
        }
    }

    impl<A: Clone, B: Clone> Exact for VecDeque<(A, B, SocketAddr)> {
        type Plain = Vec<(A, B, Address)>;

        fn to_plain(&self) -> Self::Plain {
            self.iter().map(|(a, b, at)| (a.clone(), b.clone(), at.to_plain())).collect()
        }

        fn from_plain(plain: Self::Plain) -> Self {
            plain.into_iter().map(|(a, b, at)| (a, b, SocketAddr::from_plain(at))).collect()
        }
    }
}

/// Bytes that often are text. In a human-readable format they are a string or, if they are not
/// UTF-8, a list of numbers; in any other format they are bytes.
pub(crate) mod text {
    use alloc::vec::Vec;
    use core::fmt;

    use serde::de::{Deserializer, SeqAccess, Visitor};
    use serde::ser::Serializer;

    pub(crate) fn serialize<T, S>(bytes: &T, to: S) -> Result<S::Ok, S::Error>
    where
        T: AsRef<[u8]> + ?Sized,
        S: Serializer,
    {
        let bytes = bytes.as_ref();
        match core::str::from_utf8(bytes) {
            Ok(text) if to.is_human_readable() => to.serialize_str(text),
            _ => to.serialize_bytes(bytes),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        if from.is_human_readable() {
            from.deserialize_any(TextOrBytes)
        } else {
            from.deserialize_byte_buf(TextOrBytes)
        }
    }

    struct TextOrBytes;

    impl<'de> Visitor<'de> for TextOrBytes {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("text or bytes")
        }

        fn visit_str<E>(self, text: &str) -> Result<Vec<u8>, E> {
            Ok(text.into())
        }

        fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.into())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Vec<u8>, A::Error> {
            let mut bytes = Vec::new();
            while let Some(byte) = from.next_element::<u8>()? {
                bytes.push(byte);
            }
            Ok(bytes)
        }
    }
}

/// Durations, which are seconds in a human-readable format.
pub(crate) mod seconds {
    use core::time::Duration;

    use serde::ser::{Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        if to.is_human_readable() {
            to.serialize_f64(time.as_secs_f64())
        } else {
            time.serialize(to)
        }
    }
}

/// Borrowed bytes as one piece, not as a sequence of numbers.
pub(crate) mod bytes {
    use alloc::borrow::Cow;

    use ::bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(clippy::ptr_arg)] // The signature that the derived code calls.
    pub(crate) fn serialize<S: Serializer>(
        bytes: &Cow<'_, [u8]>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(crate) fn deserialize<'de, 'a, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Cow<'a, [u8]>, D::Error> {
        Bytes::deserialize(from).map(|bytes| Cow::Owned(bytes.into()))
    }
}

/// Buffers with their capacity, since the limits on streams count the memory that a buffer takes.
pub(crate) mod grown {
    use alloc::vec::Vec;

    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(buffer: &Vec<u8>, to: S) -> Result<S::Ok, S::Error> {
        (buffer.capacity() as u64, buffer).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let (capacity, mut buffer) = <(u64, Vec<u8>)>::deserialize(from)?;
        // A growing vector doubles, so it never has more than this.
        let most = buffer.len().saturating_mul(2).max(8);
        let capacity = usize::try_from(capacity).unwrap_or(usize::MAX);
        if capacity > most || capacity < buffer.len() {
            return Err(D::Error::custom("a buffer of an impossible capacity"));
        }
        buffer.shrink_to_fit();
        buffer.reserve_exact(capacity.saturating_sub(buffer.len()));
        Ok(buffer)
    }
}

#[cfg(test)]
mod tests;
