//! Any configuration that is accepted can live: what it costs stays within bounds, and no value
//! makes a node panic, stand still or run in circles.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant as Clock};

use memberlist_proto::fields::{Field, Kind, Value};
use memberlist_proto::{Config, Key};
use proptest::prelude::*;
use proptest::sample::Index;

use crate::life::Life;
use crate::rig::cost;

/// Memory at the highest point, for both nodes: a few times what the longest lists of a
/// configuration take, and far below the sizes that its limits may name.
const PEAK: usize = 32 << 20;

/// A life takes milliseconds; this is for slow machines.
const PATIENCE: Duration = Duration::from_secs(60);

/// What becomes of one field.
#[derive(Clone, Debug)]
enum Draw {
    Preset,
    Zero,
    Least,
    Most,
    /// Anywhere between, mostly small.
    Between(u64),
}

fn draw() -> impl Strategy<Value = Draw> {
    prop_oneof![
        6 => Just(Draw::Preset),
        1 => Just(Draw::Zero),
        2 => Just(Draw::Least),
        2 => Just(Draw::Most),
        2 => (0_u32..64, any::<u64>()).prop_map(|(shift, any)| Draw::Between(any >> shift)),
    ]
}

fn value(field: &Field, draw: &Draw, preset: &Config) -> Option<Value> {
    let bounds = field.bounds();
    let measure = match draw {
        Draw::Preset => return None,
        Draw::Zero => 0,
        Draw::Least => bounds.min(),
        Draw::Most => bounds.max(),
        Draw::Between(any) => {
            bounds.min() + any % (bounds.max() - bounds.min()).saturating_add(1).max(1)
        }
    };
    let len = usize::try_from(measure).unwrap_or(usize::MAX);
    Some(match (field.kind(), field.get(preset)) {
        (Kind::Switch, Value::Switch(on)) => Value::Switch(!on),
        (Kind::Number, _) => Value::Number(measure),
        (Kind::Duration, _) => Value::Duration(Duration::from_nanos(measure)),
        (Kind::Text, _) => Value::Text(vec![b'x'; len].into()),
        (Kind::Keys, _) => {
            let key = |at: usize| Key::new(&[at as u8; 16]).expect("a key");
            Value::Keys((0..len).map(key).collect())
        }
        (Kind::Peers, _) => {
            let peer = |at: usize| match at % 3 {
                0 => format!("host{at}"),
                1 => format!("10.0.{}.{}:7946", at / 256 % 256, at % 256),
                _ => format!("name{at}/10.1.{}.{}", at / 256 % 256, at % 256),
            };
            Value::Peers((0..len).map(|at| peer(at).parse().expect("a peer")).collect())
        }
        (Kind::Networks, _) => {
            let mut networks = vec!["10.0.0.0/8".parse().expect("a network")];
            networks.resize(len.max(1), "192.0.2.0/24".parse().expect("a network"));
            Value::Networks(Some(networks))
        }
        (Kind::Word(words), _) => Value::Word(words, words[words.len() - 1]),
        // The two addresses are those of the network that the nodes live in.
        (_, address) => address,
    })
}

/// A configuration in which every field has been drawn, and then every rule is kept.
fn config() -> impl Strategy<Value = Config> {
    let fields: Vec<&Field> = Config::fields().collect();
    let draws = prop::collection::vec(draw(), fields.len());
    let preset = prop::sample::select(vec![Config::lan("x"), Config::wan("x"), Config::local("x")]);
    (preset, draws, any::<Index>()).prop_map(move |(preset, draws, first)| {
        let mut config = preset.clone();
        let first = first.index(fields.len());
        // What comes first decides where two fields exclude each other.
        for at in (first..fields.len()).chain(0..first) {
            let Some(value) = value(fields[at], &draws[at], &preset) else { continue };
            let mut changed = config.clone();
            if fields[at].set(&mut changed, value).is_ok() && changed.validate().is_ok() {
                config = changed;
            }
        }
        config
    })
}

/// Lives with a configuration; whether the two nodes have met.
fn live(config: &Config) -> bool {
    let start = Clock::now();
    // A panic must not pass through the counter: it would go on counting while it shrinks.
    let mut end = Ok(false);
    let cost = cost("a life", 0, || {
        end = catch_unwind(AssertUnwindSafe(|| Life::new(config).live()));
    });
    let met = end.unwrap_or_else(|panic| resume_unwind(panic));
    assert!(cost.peak < PEAK, "{} bytes at the highest point", cost.peak);
    assert!(start.elapsed() < PATIENCE, "a short life took {:?}", start.elapsed());
    met
}

proptest! {
    #[test]
    fn whatever_is_accepted_can_live(config in config()) {
        live(&config);
    }
}

/// Each field at each end of its bounds, beside defaults: what a mixture might hide.
#[test]
fn every_bound_can_be_lived_with() {
    let preset = Config::local("x");
    let mut lives = 0;
    for field in Config::fields() {
        for draw in [Draw::Zero, Draw::Least, Draw::Most] {
            let mut config = preset.clone();
            let value = value(field, &draw, &preset).expect("a value");
            if field.set(&mut config, value).is_ok() && config.validate().is_ok() {
                assert!(live(&config), "with {draw:?} of {} they do not meet", field.path());
                lives += 1;
            }
        }
    }
    assert!(lives > 2 * Config::fields().count(), "{lives} configurations were valid");
}
