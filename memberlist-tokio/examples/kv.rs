//! A small replicated store: each write is gossiped, and a node that was away receives the whole
//! store in the next full state exchange. The last write to a key wins.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use memberlist_tokio::{
    BroadcastKind, Config, Delegate, Event, Memberlist, Options, Peer, Priority,
};

/// A value, with what decides between two values of a key: the number of writes so far, then the
/// name of the writer.
#[derive(Clone, PartialEq, PartialOrd)]
struct Entry {
    version: u64,
    writer: String,
    value: String,
}

#[derive(Clone, Default)]
struct Store(Arc<Mutex<BTreeMap<String, Entry>>>);

impl Store {
    fn get(&self, key: &str) -> Option<String> {
        self.0.lock().unwrap().get(key).map(|entry| entry.value.clone())
    }

    /// Merges lines as `text` writes them; returns whether any of them was new.
    fn merge(&self, text: &str) -> bool {
        let mut entries = self.0.lock().unwrap();
        let mut news = false;
        for line in text.lines() {
            let [key, version, writer, value] = line.split('\t').collect::<Vec<_>>()[..] else {
                continue;
            };
            let Ok(version) = version.parse() else { continue };
            let entry = Entry { version, writer: writer.into(), value: value.into() };
            if entries.get(key).is_none_or(|old| *old < entry) {
                entries.insert(key.into(), entry);
                news = true;
            }
        }
        news
    }

    fn text(&self) -> String {
        let entries = self.0.lock().unwrap();
        let line = |(key, entry): (&String, &Entry)| {
            format!("{key}\t{}\t{}\t{}\n", entry.version, entry.writer, entry.value)
        };
        entries.iter().map(line).collect()
    }
}

/// The whole store is sent in every full state exchange.
impl Delegate for Store {
    fn local_state(&self, _join: bool) -> bytes::Bytes {
        self.text().into()
    }
}

struct Replica {
    node: Memberlist,
    store: Store,
}

impl Replica {
    async fn start(name: &str, seeds: &[Peer]) -> Result<Self, Box<dyn std::error::Error>> {
        let store = Store::default();
        let mut options = Options::bind("127.0.0.1:0");
        options.delegate = Some(Arc::new(store.clone()));
        let mut config = Config::local(name);
        config.ask_local_state = true;
        let (node, mut events) = Memberlist::start(config, options).await?;
        let replica = Self { node: node.clone(), store };
        let store = replica.store.clone();
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                let (Event::Message { payload: text, .. } | Event::RemoteState { state: text, .. }) =
                    event
                else {
                    continue;
                };
                let text = String::from_utf8_lossy(&text);
                if store.merge(&text) {
                    // Gossip reaches every member only if each node that receives something new
                    // broadcasts it again.
                    let _ = tell(&node, &text);
                }
            }
        });
        if !seeds.is_empty() {
            let _ = replica.node.join(seeds).await?;
        }
        Ok(replica)
    }

    fn put(&self, key: &str, value: &str) -> Result<(), memberlist_tokio::Error> {
        let version = self.store.0.lock().unwrap().get(key).map_or(0, |entry| entry.version) + 1;
        let line = format!("{key}\t{version}\t{}\t{value}", self.node.local().name());
        self.store.merge(&line);
        tell(&self.node, &line)
    }

    /// Waits until this replica reads `value`.
    async fn reads(&self, key: &str, value: &str) {
        while self.store.get(key).as_deref() != Some(value) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        println!("{} reads {key} = {value}", self.node.local().name());
    }
}

/// Gossips each line. Fails at the first that is too long for a packet: such a line waits for the
/// next full state exchange.
fn tell(node: &Memberlist, lines: &str) -> Result<(), memberlist_tokio::Error> {
    for line in lines.lines() {
        let key = line.split('\t').next().unwrap_or_default().to_owned();
        node.broadcast(line.as_bytes(), BroadcastKind::Named(key.into()), Priority::Normal)?;
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let a = Replica::start("a", &[]).await?;
    let seed = [Peer::from(a.node.bound_address())];
    let b = Replica::start("b", &seed).await?;
    let c = Replica::start("c", &seed).await?;

    a.put("color", "blue")?;
    for replica in [&a, &b, &c] {
        replica.reads("color", "blue").await;
    }

    b.node.leave(Duration::from_secs(5)).await?;
    b.node.shutdown().await;
    println!("b is gone");
    c.put("color", "green")?;
    a.reads("color", "green").await;

    let b = Replica::start("b", &seed).await?;
    println!("b is back");
    b.reads("color", "green").await;
    Ok(())
}
