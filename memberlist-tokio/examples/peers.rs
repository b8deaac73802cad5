//! The layer that Alertmanager and similar programs have around memberlist, most of which this
//! library provides: a list of peers including those that failed, a channel for state of any size,
//! reconnecting, a search for seeds until they answer, forgetting peers that stay away, readiness,
//! status.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use memberlist_tokio::{Config, Event, JoinPolicy, Memberlist, Options, Peer, Rejoin};

/// How long a failed peer is searched for.
const GIVE_UP_AFTER: Duration = Duration::from_secs(6);

/// Every peer that was ever seen, and whether it is a member now.
type List = Arc<Mutex<BTreeMap<String, bool>>>;

struct Cluster {
    node: Memberlist,
    list: List,
    /// The bytes of all messages received.
    heard: Arc<Mutex<usize>>,
}

impl Cluster {
    /// Starts a peer. It tries to join in the background until one of the seeds answers.
    async fn start(
        name: &str,
        bind: SocketAddr,
        seeds: &[Peer],
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let mut config = Config::local(name);
        config.seeds = seeds.to_vec();
        config.rejoin = Rejoin::default().with(|it| {
            it.interval = Duration::from_millis(500);
            it.give_up_after = GIVE_UP_AFTER;
        });
        // Faster than a real cluster would be, so that the example ends soon.
        config.probe_interval = Duration::from_millis(200);
        config.probe_timeout = Duration::from_millis(100);
        let (node, mut events) = Memberlist::start(config, Options::bind(bind)).await?;
        let (list, heard) = (List::default(), Arc::default());
        let cluster = Self { node, list: Arc::clone(&list), heard: Arc::clone(&heard) };
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                match event {
                    Event::Joined { node } => {
                        list.lock().unwrap().insert(node.name().to_string(), true);
                    }
                    Event::Departed { node, .. } => {
                        list.lock().unwrap().insert(node.name().to_string(), false);
                    }
                    Event::Message { payload, .. } => *heard.lock().unwrap() += payload.len(),
                    _ => {}
                }
            }
        });
        if !seeds.is_empty() {
            let (node, seeds) = (cluster.node.clone(), seeds.to_vec());
            tokio::spawn(async move { node.join_with(&seeds, JoinPolicy::until_joined()).await });
        }
        Ok(cluster)
    }

    /// Removes peers that failed and are no longer searched for from the list.
    fn forget(&self) {
        let Ok(status) = self.node.status() else { return };
        let wanted = |name: &str| {
            status.lost.iter().any(|lost| lost.name.as_ref().is_some_and(|it| *it == *name))
        };
        self.list.lock().unwrap().retain(|name, there| *there || wanted(name));
    }

    async fn until(&self, what: &str, so: impl Fn(&Self) -> bool) {
        while !so(self) {
            self.forget();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        println!("{}: {what}", self.node.local().name());
    }

    /// Whether a peer is a member; `None` if it is not on the list.
    fn peer(&self, name: &str) -> Option<bool> {
        self.list.lock().unwrap().get(name).copied()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let anywhere: SocketAddr = "127.0.0.1:0".parse()?;
    let a = Cluster::start("a", anywhere, &[]).await?;
    let seeds = [Peer::from(a.node.bound_address())];
    let b = Cluster::start("b", anywhere, &seeds).await?;
    let c = Cluster::start("c", anywhere, &seeds).await?;
    a.until("three peers", |it| it.node.num_members() == 3).await;
    let members = a.node.settled(Duration::from_millis(300), Duration::ZERO).await?;
    println!("a: ready with {members} members");

    // Too long for gossip: it is sent to each member over a stream.
    a.node.disseminate(vec![7; 100_000])?;
    for peer in [&b, &c] {
        peer.until("heard 100000 bytes", |it| *it.heard.lock().unwrap() == 100_000).await;
    }

    let address = c.node.bound_address();
    c.node.shutdown().await;
    a.until("c has failed", |it| it.peer("c") == Some(false)).await;
    let lost = a.node.status()?.lost;
    println!("a: looks for {}", lost[0].name.as_ref().map_or(String::new(), ToString::to_string));

    // It comes back without seeds: the others find it.
    let c = Cluster::start("c", address, &[]).await?;
    a.until("c is back", |it| it.peer("c") == Some(true)).await;

    c.node.shutdown().await;
    a.until("c has failed", |it| it.peer("c") == Some(false)).await;
    a.until("c is given up", |it| it.peer("c").is_none()).await;
    Ok(())
}
