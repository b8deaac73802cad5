//! A sidecar for service discovery: it runs beside a service, announces it to the cluster, and
//! answers questions about the other services over HTTP.
//!
//! ```sh
//! cargo run -p memberlist-tokio --example service --features http,metrics,serde -- FILE
//! ```
//!
//! The file is TOML, for example
//!
//! ```toml
//! http = "127.0.0.1:8080"
//!
//! [service]
//! role = "web"
//! port = 3000
//!
//! [node] # as docs/agent.toml
//! name = "web-1"
//! bind_addr = "127.0.0.1"
//! seeds = ["127.0.0.2:7946"]
//! ```
//!
//! | request | |
//! |---|---|
//! | `GET /members` | every member with the service that it announces |
//! | `GET /config`, `PUT /config` | a document that all members share; the last version written wins |
//! | `POST /keys/add`, `/keys/use`, `/keys/remove` | one step of a key rotation, with a key in base64 as the body: finish each step on every node before the next |
//! | `GET /metrics` | for Prometheus |
//! | `GET /cluster/` | a page about the cluster |
//!
//! Any client that can connect can change the configuration and the keys: listen on a loopback
//! address.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use memberlist_tokio::bytes::Bytes;
use memberlist_tokio::http::{Options as PageOptions, Page};
use memberlist_tokio::{Delegate, Error, Event, Events, JoinPolicy, Key, Memberlist, Settings};
use metrics_exporter_prometheus::PrometheusBuilder;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The contents of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Setup {
    http: SocketAddr,
    service: Service,
    node: Settings,
}

/// What other members need to know about the service. It is the metadata of its node, as JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Service {
    role: String,
    port: u16,
}

/// The document that all members share. The higher version wins, and of two equal versions the one
/// with the greater author: documents may arrive more than once, and in any order.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
struct Shared {
    version: u64,
    author: String,
    value: Value,
}

#[derive(Clone, Default)]
struct Store(Arc<Mutex<Shared>>);

impl Store {
    fn read(&self) -> Shared {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The next version, by this author.
    fn write(&self, author: String, value: Value) -> Shared {
        let mut shared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *shared = Shared { version: shared.version + 1, author, value };
        shared.clone()
    }

    fn merge(&self, bytes: &[u8]) {
        // If that fails, it is a message of another application, or of a later version of this one.
        let Ok(theirs) = serde_json::from_slice::<Shared>(bytes) else { return };
        let mut ours = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if (theirs.version, &theirs.author) > (ours.version, &ours.author) {
            *ours = theirs;
        }
    }
}

/// A node that was away receives the document with the full state of a peer.
impl Delegate for Store {
    fn local_state(&self, _join: bool) -> Bytes {
        serde_json::to_vec(&self.read()).unwrap_or_default().into()
    }
}

#[derive(Clone)]
struct App {
    node: Memberlist,
    store: Store,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), Failure> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let metrics = PrometheusBuilder::new().install_recorder()?;
    let file = std::env::args().nth(1).ok_or("which file?")?;
    let setup: Setup = toml::from_str(&std::fs::read_to_string(file)?)?;

    let store = Store::default();
    let (mut config, options) = setup.node.into_parts();
    config.meta = serde_json::to_vec(&setup.service)?.into();
    let seeds = config.seeds.clone();
    let (node, events) = Memberlist::start(config, options.delegate(store.clone())).await?;
    let heard = tokio::spawn(read(events, store.clone()));
    let render = metrics.clone();
    let page = Page::start(&node, PageOptions::default().metrics(move || render.render()))?;

    let router = Router::new()
        .route("/members", get(members))
        .route("/config", get(read_config).put(write_config))
        .route("/keys/{step}", post(change_key))
        .route("/metrics", get(move || async move { metrics.render() }))
        .nest_service("/cluster", page)
        .with_state(App { node: node.clone(), store });
    let listener = TcpListener::bind(setup.http).await?;
    println!("node {} http {}", node.bound_address(), listener.local_addr()?);

    let (mut interrupt, mut terminate) =
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    if !seeds.is_empty() {
        // The sidecar answers requests meanwhile; `/cluster/readyz` says when the node has settled.
        let node = node.clone();
        tokio::spawn(async move {
            match node.join_with(seeds, JoinPolicy::until_joined()).await {
                Ok(report) => println!("{report}"),
                Err(error) => println!("{error}"),
            }
        });
    }
    let server = axum::serve(listener, router).with_graceful_shutdown(async move {
        tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        if let Err(error) = node.leave(Duration::from_secs(5)).await {
            eprintln!("the leave was not announced to all: {error}");
        }
        // This also ends the streams of events that the page has open.
        node.shutdown().await;
    });
    server.await?;
    heard.await?;
    Ok(())
}

/// Handles the events of the node.
async fn read(mut events: Events, store: Store) {
    while let Some(event) = events.next().await {
        match event {
            Event::Message { payload, .. } => store.merge(&payload),
            Event::RemoteState { state, .. } => store.merge(&state),
            Event::Joined { .. } | Event::Departed { .. } => println!("{event}"),
            _ => {}
        }
    }
}

async fn members(State(app): State<App>) -> Json<Vec<Value>> {
    let member = |node: memberlist_tokio::Node| {
        json!({
            "name": node.name().to_string(),
            "address": node.address(),
            "state": node.state(),
            // Null for a node that does not run this sidecar.
            "service": serde_json::from_slice::<Service>(node.meta()).ok(),
        })
    };
    Json(app.node.members().into_iter().map(member).collect())
}

async fn read_config(State(app): State<App>) -> Json<Shared> {
    Json(app.store.read())
}

async fn write_config(
    State(app): State<App>,
    Json(value): Json<Value>,
) -> Result<Json<Shared>, Wrong> {
    let shared = app.store.write(app.node.local().name().to_string(), value);
    app.node.disseminate(serde_json::to_vec(&shared).unwrap_or_default())?;
    Ok(Json(shared))
}

async fn change_key(
    State(app): State<App>,
    Path(step): Path<String>,
    key: String,
) -> Result<Json<Value>, Response> {
    let refused = |error: &dyn std::fmt::Display| {
        (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response()
    };
    let key: Key = key.trim().parse().map_err(|error| refused(&error))?;
    let changed = match step.as_str() {
        "add" => app.node.add_key(key),
        "use" => app.node.use_key(&key),
        "remove" => app.node.remove_key(&key),
        _ => return Err(StatusCode::NOT_FOUND.into_response()),
    };
    changed.map_err(|error| refused(&error))?;
    Ok(Json(json!({"keys": app.node.keys().len()})))
}

/// An error of the node, as an answer.
struct Wrong(Error);

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Wrong {
    fn into_response(self) -> Response {
        (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", self.0)).into_response()
    }
}
