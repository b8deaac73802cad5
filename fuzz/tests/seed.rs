//! Makes the first corpora: of the vectors, and of noise for what is driven by choices.

use std::path::{Path, PathBuf};

use memberlist_proto::Config;
use serde_json::Value;

/// Writes the seeds that are missing. What fuzzing added stays.
#[test]
#[ignore = "writes into the repository"]
fn seed() {
    for (file, every) in [("frames.jsonl", 27), ("messages.jsonl", 38), ("tolerance.jsonl", 90)] {
        for (number, hex) in hex(file).iter().enumerate().step_by(every) {
            let name = format!("{}-{number}", file.trim_end_matches(".jsonl"));
            keep("packet", &name, hex);
            for choice in [0_u8, 4, 28] {
                if number % 3 == usize::from(choice) / 12 {
                    keep("stream", &name, &[&[choice, 3, 1, 9, 200], &hex[..]].concat());
                }
            }
        }
    }
    for (number, hex) in hex("lzw.jsonl").iter().enumerate() {
        keep("lzw", &format!("lzw-{number}"), hex);
    }
    for (number, hex) in hex("snappy.jsonl").iter().enumerate().step_by(3) {
        keep("snappy", &format!("snappy-{number}"), hex);
    }
    for (number, text) in configurations().iter().enumerate() {
        keep("config", &format!("preset-{number}"), text.as_bytes());
    }
    for (number, bytes) in hex("frames.jsonl").iter().enumerate() {
        if bytes.first() == Some(&244) && number % 36 == 0 {
            keep("label", &format!("frames-{number}"), bytes);
        }
    }
    for (number, bytes) in
        [&b""[..], b"\xf4", b"\xf4\0x", b"\x04blue\x04blue", b"\x01a"].iter().enumerate()
    {
        keep("label", &format!("short-{number}"), bytes);
    }
    frames();
    for (target, name, count, len, mild) in [
        ("keyring", "noise", 8, 400, false),
        ("roundtrip", "noise", 8, 200, false),
        ("machine", "noise", 24, 900, false),
        ("machine", "mild", 32, 2000, true),
        ("pair", "noise", 12, 700, false),
        ("recording", "noise", 12, 9, false),
        ("recording", "changes", 12, 60, true),
        ("pool", "noise", 12, 300, false),
        ("pool", "mild", 12, 300, true),
    ] {
        let mut random = Random(0x2545_f491_4f6c_dd1d);
        for number in 0..count {
            let noise: Vec<u8> = (0..len).map(|_| random.byte(mild)).collect();
            keep(target, &format!("{name}-{number}"), &noise);
        }
    }
}

/// Connections as the programs' own code reads them, behind the framing, the limit, the cut and whether
/// they end.
fn frames() {
    for (file, framing) in [("alertmanager_tls.jsonl", 0_u8), ("dskit.jsonl", 1)] {
        let cases = cases(file).into_iter().filter(|case| case["kind"] == "read");
        for case in cases.step_by(3) {
            let whole = unhex(&case["in_hex"]).or_else(|| {
                let records = case["records"].as_array()?;
                Some(records.iter().map(unhex).collect::<Option<Vec<_>>>()?.concat())
            });
            let (Some(bytes), Some(name)) = (whole, case["name"].as_str()) else { continue };
            keep("frames", name, &[&[framing, 255, 6, 1], &bytes[..]].concat());
        }
    }
}

struct Random(u64);

impl Random {
    /// With `mild` mostly a small one: as a length it leaves bytes for more choices.
    fn byte(&mut self, mild: bool) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let byte = (self.0 >> 24) as u8;
        let small = mild && self.0 >> 40 & 7 != 0;
        if small { byte & 0x1f } else { byte }
    }
}

/// The presets, and single fields of every kind.
fn configurations() -> Vec<String> {
    let presets = [Config::lan("a"), Config::wan("b"), Config::local("c")];
    let mut texts: Vec<String> =
        presets.iter().map(|config| toml::to_string(config).expect("TOML")).collect();
    texts.push(flipped(&texts[0]));
    texts.extend(
        [
            "name = \"n\"\nadvertise_addr = \"10.0.0.1\"\n",
            "name = \"n\"\nlabel = [1, 2, 255]\nmeta = \"m\"\nadvertise_addr = \"::1\"\n",
            "name = \"n\"\nadvertise_addr = \"10.0.0.1\"\ncidrs_allowed = [\"10.0.0.0/8\"]\n",
            "name = \"n\"\n[limits]\nstreams = 0\n[differences]\nadvertise_form = \"mapped\"\n",
            "name = \"n\"\nadvertise_addr = \"10.0.0.1\"\nprobe_interval = { secs = 1, nanos = 5 }\n",
        ]
        .map(String::from),
    );
    texts
}

/// Every switch the other way.
fn flipped(text: &str) -> String {
    text.replace("true", "on").replace("false", "true").replace("on\n", "false\n")
}

/// The bytes of a fixture's cases.
fn hex(file: &str) -> Vec<Vec<u8>> {
    cases(file)
        .iter()
        .filter_map(|case| {
            ["hex", "lzw_hex", "in_hex"].iter().find_map(|field| unhex(&case[field]))
        })
        .collect()
}

fn cases(file: &str) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/vectors");
    let text = std::fs::read_to_string(folder.join(file)).expect("a fixture");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn unhex(value: &Value) -> Option<Vec<u8>> {
    let hex = value.as_str()?;
    let digits = |at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
    (0..hex.len()).step_by(2).map(digits).collect()
}

fn keep(target: &str, name: &str, data: &[u8]) {
    if data.len() > 4 << 10 {
        return;
    }
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "corpus", target].iter().collect();
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join(name), data).expect("a file");
}
