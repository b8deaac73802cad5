//! Changes the key of a running cluster without shutting out any node at any time: add the new key
//! to every node, use it on every node, and only then remove the old one from every node.

use std::time::Duration;

use memberlist_tokio::{Config, Error, Key, Memberlist, Options, Target};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (old, new) = (Key::new(&[1; 32])?, Key::new(&[2; 32])?);
    let mut nodes: Vec<Memberlist> = Vec::new();
    for name in ["a", "b", "c"] {
        let node = start(name, &old).await?;
        if let Some(seed) = nodes.first() {
            let _ = node.join([seed.bound_address()]).await?;
        }
        nodes.push(node);
    }
    // The first node learns about the third directly, the second only by gossip.
    while nodes.iter().any(|node| node.num_members() < nodes.len()) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    all_hear_all(&nodes, "with the old key").await?;

    for node in &nodes {
        node.add_key(new.clone())?;
    }
    all_hear_all(&nodes, "with the new key added").await?;

    for node in &nodes {
        node.use_key(&new)?;
        all_hear_all(&nodes, &format!("while {} uses the new key", node.local().name())).await?;
    }
    for node in &nodes {
        node.remove_key(&old)?;
        let name = node.local().name().to_owned_name();
        all_hear_all(&nodes, &format!("without the old key at {name}")).await?;
    }

    let late = start("late", &old).await?;
    match late.join([nodes[0].bound_address()]).await {
        Err(Error::NotJoined(not)) => {
            println!("a node with the old key: {}", not.report.failed[0].error);
            Ok(())
        }
        other => Err(format!("it must not get in: {other:?}").into()),
    }
}

async fn start(name: &str, key: &Key) -> Result<Memberlist, Box<dyn std::error::Error>> {
    let mut config = Config::local(name);
    config.secret_keys = vec![key.clone()];
    let (node, _events) = Memberlist::start(config, Options::bind("127.0.0.1:0")).await?;
    Ok(node)
}

/// Every node pings every other.
async fn all_hear_all(nodes: &[Memberlist], when: &str) -> Result<(), memberlist_tokio::Error> {
    for from in nodes {
        for to in nodes {
            let (from_name, to_name) = (from.local(), to.local());
            if from_name.name() != to_name.name() {
                from.ping(Target::Member(to_name.name().to_owned_name())).await?;
            }
        }
    }
    println!("all hear all {when}");
    Ok(())
}
