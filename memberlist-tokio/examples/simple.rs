//! The minimal program: joins a cluster and prints its members and events. `simple NAME [SEED]...`

use std::time::Duration;

use memberlist_tokio::{Config, JoinPolicy, Memberlist, Options};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let name = args.next().unwrap_or_else(|| "one".into());
    let options = Options::bind("127.0.0.1:0");
    let (node, mut events) = Memberlist::start(Config::lan(name.as_str()), options).await?;
    println!("{name} listens on {}", node.bound_address());
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            println!("{event}");
        }
    });

    let seeds: Vec<String> = args.collect();
    if !seeds.is_empty() {
        // Prints who was joined, and why others failed. If no peer answers, this goes on trying, and
        // each attempt is an event.
        println!("{}", node.join_with(seeds, JoinPolicy::until_joined()).await?);
    }
    loop {
        for member in node.members() {
            println!("{member} {}", member.state());
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}
