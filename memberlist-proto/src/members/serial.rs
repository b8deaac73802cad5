//! The serialized form of the table: the records by id, and their order. The rest is recomputed
//! from these when it is read.

use alloc::vec::Vec;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::slab::Slab;
use super::zones::Zones;
use super::{MemberId, Members, Record, hash_name};

#[derive(Serialize, Deserialize)]
struct Plain<'a> {
    /// One for each id ever assigned; `None` for free ids.
    records: Vec<Option<alloc::borrow::Cow<'a, Record>>>,
    /// The free ids; the last of these is assigned next.
    free: Vec<MemberId>,
    order: Vec<MemberId>,
    cursor: usize,
    hash_key: [u8; 16],
    /// Stored as a whole, since the order of its lists depends on the past.
    zones: Option<alloc::boxed::Box<Zones>>,
    edition: u64,
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let (records, free) = self.records.parts();
        let plain = Plain {
            records: records.map(|it| it.map(alloc::borrow::Cow::Borrowed)).collect(),
            free: free.to_vec(),
            order: self.order.clone(),
            cursor: self.cursor,
            hash_key: self.hash_key,
            zones: self.zones.clone(),
            edition: self.edition,
        };
        plain.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Plain { records, free, order, cursor, hash_key, zones, edition } =
            Plain::deserialize(from)?;
        let records = records.into_iter().map(|it| it.map(alloc::borrow::Cow::into_owned));
        let records = Slab::of(records.collect(), free).ok_or(D::Error::custom("free records"))?;
        let mut members =
            Self { records, order: Vec::new(), cursor, edition, ..Self::new(hash_key) };
        for id in order {
            let record = members.records.get(id).ok_or(D::Error::custom("no such record"))?;
            let name = record.name().as_bytes();
            if members.get(name).is_some() {
                return Err(D::Error::custom("two records of one name"));
            }
            members.counts[record.state() as usize] += 1;
            members.tally.add(record);
            members.note_in_index(hash_name(&hash_key, name), id);
            members.note_fresh(id);
            members.order.push(id);
        }
        members.zones = zones;
        members.check().map_err(D::Error::custom)?;
        Ok(members)
    }
}
