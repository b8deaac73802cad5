use clap::Parser as _;

use super::*;
use crate::Program;

const PATIENCE: Duration = Duration::from_secs(30);

fn args(words: &[&str]) -> Args {
    let always = ["memberlist", "agent", "--name", "one", "--bind", "127.0.0.1:0"];
    let control = ["--control", "none"];
    match Program::try_parse_from([&always[..], &control, words].concat()) {
        Ok(Program::Agent(args)) => *args,
        Ok(_) => panic!("not an agent"),
        Err(error) => panic!("{error}"),
    }
}

/// Without its node an agent is of no use, and a service manager can start another.
#[tokio::test]
async fn an_agent_does_not_outlive_its_node() {
    let args = args(&[]);
    let (settings, transport) = (args.settings().expect("valid"), args.transport().expect("none"));
    let socket = Socket::claim(&args, &settings).expect("none");
    let started = node::start(args.runtime, settings, None, transport, None, Vec::new());
    let (node, events) = started.await.expect("a free port");
    let (output, mut lines) =
        Output::queue(Style::Json, output::Bounds { lines: 64, bytes: 1 << 20 });
    let about = About { runtime: args.runtime, began: Instant::now(), control: None, page: None };
    let (carried, about) = (Arc::default(), Arc::new(about));
    let execution = Execution { node: node.clone(), carried, about };
    let agent = Agent { node: node.clone(), execution, output, socket, quit: Arc::default() };
    let signals = Signals::start().expect("handled");
    let end = async {
        // Once it runs.
        assert!(lines.recv().await.is_some());
        node.shutdown().await;
    };
    let both = async { tokio::join!(agent.run(&args, None, events, signals), end) };
    let (result, ()) = tokio::time::timeout(PATIENCE, both).await.expect("it ends");
    assert_eq!(result, Err(Failure::failed("the node has ended by itself")));
}
