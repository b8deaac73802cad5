//! `memberlist decode`: the layers and messages of a captured packet or stream as JSON.

mod fields;

use std::fmt::Display;
use std::io::{self, IsTerminal, Read};

use memberlist_proto::security::{Keyring, Version};
use memberlist_proto::wire::Scratch;
use memberlist_proto::wire::compress::Algorithm;
use memberlist_proto::wire::frame::{Eof, FrameError, FrameLimits, FrameReader, FrameRules, Role};
use memberlist_proto::wire::label::{self, Peek};
use memberlist_proto::wire::message::{Message, MessageType};
use memberlist_proto::wire::packet::{self, Layer, LayerKind, PacketLimits, Rules, Visit};
use serde_json::{Value, json};

use crate::failure::Failure;
use crate::hex;
use crate::stdout;

/// The most bytes of text that are read from standard input.
const INPUT_MAX: u64 = 256 << 20;

/// As generous as the Go library, which may have sent the packet: a node's own limits could refuse
/// what the user wants to look at.
const LIMITS: PacketLimits =
    PacketLimits { max_decompressed: 40 << 20, max_depth: 64, max_messages: 1 << 16 };

/// The flags of `memberlist decode`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Key in base64 to decrypt with (repeatable); encrypted data cannot be decoded without one
    #[arg(long, value_name = "BASE64")]
    key: Vec<String>,

    /// Label that must match; by default, any label is accepted
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,

    /// Decode one direction of a stream instead of a packet
    #[arg(long)]
    stream: bool,

    /// Bytes in hexadecimal, with or without white space; `-` reads them from standard input
    #[arg(value_name = "HEX|-", allow_hyphen_values = true)]
    hex: String,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let bytes = args.bytes()?;
    let keyring = args.keyring()?;
    let decoded = if args.stream {
        decode_stream(&bytes, &keyring, args.label.as_deref())
    } else {
        decode_packet(&bytes, &keyring, args.label.as_deref())
    };
    let document = decoded.document(args.stream, bytes.len());
    let text = if io::stdout().is_terminal() {
        format!("{document:#}\n")
    } else {
        format!("{document}\n")
    };
    stdout::put(text)?;
    match decoded.fault {
        None => Ok(()),
        Some(fault) => {
            let Fault { layer, message } = fault;
            Err(Failure::failed(format_args!(
                "decoding failed at the {} layer: {message}",
                layer.name()
            )))
        }
    }
}

impl Args {
    fn bytes(&self) -> Result<Vec<u8>, Failure> {
        let mut text = Vec::new();
        if self.hex == "-" {
            let failed = |error| Failure::failed(format_args!("standard input: {error}"));
            io::stdin().take(INPUT_MAX).read_to_end(&mut text).map_err(failed)?;
        } else {
            text.extend_from_slice(self.hex.as_bytes());
        }
        hex::decode(&text).map_err(Failure::usage)
    }

    fn keyring(&self) -> Result<Keyring, Failure> {
        let refused = |error| Failure::usage(format_args!("--key: {error}"));
        self.key.iter().map(|text| text.parse()).collect::<Result<Keyring, _>>().map_err(refused)
    }
}

/// The layers and messages from the outside to the inside, and the first fault.
#[derive(Debug, Default)]
struct Decoded {
    contents: Vec<Value>,
    fault: Option<Fault>,
}

#[derive(Debug)]
struct Fault {
    layer: FaultLayer,
    message: String,
}

/// Where decoding failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FaultLayer {
    /// A layer of a packet, or the same layer of a stream.
    Of(LayerKind),
    /// The stream as a whole: it is empty or ends too early.
    Stream,
}

impl FaultLayer {
    /// The name in the output, the same as for a layer that could be opened.
    fn name(self) -> &'static str {
        match self {
            Self::Of(LayerKind::Datagram) => "datagram",
            Self::Of(LayerKind::Label) => "label",
            Self::Of(LayerKind::Encryption) => "encryption",
            Self::Of(LayerKind::Checksum) => "checksum",
            Self::Of(LayerKind::Compression) => "compression",
            Self::Of(LayerKind::Compound) => "compound",
            Self::Of(LayerKind::Message) => "message",
            Self::Stream => "stream",
        }
    }
}

impl Decoded {
    fn fail(&mut self, layer: FaultLayer, message: impl Display) {
        self.fault = Some(Fault { layer, message: message.to_string() });
    }

    fn document(&self, stream: bool, len: usize) -> Value {
        let kind = if stream { "stream" } else { "packet" };
        let error = self
            .fault
            .as_ref()
            .map(|Fault { layer, message }| json!({ "layer": layer.name(), "message": message }));
        json!({ "kind": kind, "bytes": len, "contents": self.contents, "error": error })
    }
}

impl Visit for Decoded {
    fn layer(&mut self, layer: Layer<'_>) {
        self.contents.push(match layer {
            Layer::Label(label) => label_layer(label),
            Layer::Encrypted { version, key_index, len } => encrypted(version, key_index, len),
            Layer::Plaintext { error } => {
                json!({ "layer": "plaintext", "message": error.to_string() })
            }
            Layer::Checksum => json!({ "layer": "checksum" }),
            Layer::Compressed { algorithm, from, to } => compressed(algorithm, from, to),
            Layer::Compound { parts } => json!({ "layer": "compound", "parts": parts }),
        });
    }

    fn message(&mut self, message: Message<'_>, bytes: &[u8]) {
        self.contents.push(fields::message(&message, bytes.len()));
    }
}

fn decode_packet(packet: &[u8], keyring: &Keyring, label: Option<&str>) -> Decoded {
    let rules = Rules {
        label: own_label(packet, label),
        skip_inbound_label_check: false,
        accept_labels: &[],
        keyring: Some(keyring),
        verify_incoming: true,
        limits: LIMITS,
    };
    let mut decoded = Decoded::default();
    if let Err(error) = packet::open(packet, &rules, &mut Scratch::new(), &mut decoded) {
        let hint = match error.layer {
            LayerKind::Message if keyring.is_empty() && looks_encrypted(packet, &rules) => {
                " (the packet may be encrypted: pass its --key)"
            }
            _ => "",
        };
        decoded.fail(FaultLayer::Of(error.layer), format_args!("{}{hint}", error.cause));
    }
    decoded
}

fn decode_stream(stream: &[u8], keyring: &Keyring, label: Option<&str>) -> Decoded {
    let limits = FrameLimits::default();
    let rules = FrameRules {
        label: own_label(stream, label),
        skip_inbound_label_check: false,
        accept_labels: &[],
        keyring: Some(keyring),
        verify_incoming: true,
        limits,
        known: None,
    };
    // The accepting side of a connection sends no label header. A stream without one may be from
    // either side, and is then decoded without a check of the label.
    let role = match stream.first() {
        Some(&code) if code == MessageType::Label.code() => Role::Acceptor,
        _ => Role::Initiator,
    };
    let mut decoded = Decoded::default();
    let mut reader = FrameReader::new(role);
    let result = reader.feed(stream, &rules);
    let layers = reader.layers();
    if let Some(label) = &layers.label {
        decoded.contents.push(label_layer(label.as_bytes()));
    }
    if let Some((version, key_index, len)) = layers.encrypted {
        decoded.contents.push(encrypted(version, key_index, len));
    }
    if let Some((algorithm, from, to)) = layers.compressed {
        decoded.contents.push(compressed(algorithm, from, to));
    }
    match result {
        Ok(Some(frame)) => {
            decoded.contents.push(fields::stream_message(&frame.message(), frame.as_bytes().len()));
        }
        Ok(None) if reader.eof() == Eof::Empty => {
            decoded.fail(FaultLayer::Stream, "the stream is empty");
        }
        Ok(None) => decoded.fail(FaultLayer::Stream, "the stream ends before its message does"),
        Err(error) => decoded.fail(FaultLayer::Of(layer_of(&error)), error),
    }
    decoded
}

/// The label to decode with: the one from the command line, or else the one in the bytes.
fn own_label<'a>(bytes: &'a [u8], label: Option<&'a str>) -> &'a [u8] {
    match (label, label::peek(bytes)) {
        (Some(label), _) => label.as_bytes(),
        (None, Ok(Peek::Present(label))) => label,
        (None, _) => b"",
    }
}

/// Whether the first byte after the label is an encryption version. It may just as well be the type
/// of a ping, so that this is only a hint.
fn looks_encrypted(packet: &[u8], rules: &Rules<'_>) -> bool {
    matches!(packet.get(label::overhead(rules.label)), Some(0 | 1))
}

fn layer_of(error: &FrameError) -> LayerKind {
    match error {
        FrameError::Label(_) => LayerKind::Label,
        FrameError::NotConfigured
        | FrameError::NotEncrypted
        | FrameError::EncryptedTooLong(_)
        | FrameError::Decrypt(_)
        | FrameError::EmptyPlaintext => LayerKind::Encryption,
        FrameError::Compress(_) => LayerKind::Compression,
        FrameError::Decode(_)
        | FrameError::Truncated
        | FrameError::Nodes(_)
        | FrameError::UserState(_)
        | FrameError::UserMessage(_)
        | FrameError::TooLong { .. } => LayerKind::Message,
    }
}

fn label_layer(label: &[u8]) -> Value {
    json!({ "layer": "label", "label": fields::text(label), "hex": hex::encode(label) })
}

fn encrypted(version: Version, key_index: usize, len: usize) -> Value {
    json!({ "layer": "encryption", "version": version.code(), "key": key_index, "bytes": len })
}

fn compressed(algorithm: Algorithm, from: usize, to: usize) -> Value {
    let algorithm = algorithm.to_string();
    json!({
        "layer": "compression", "algorithm": algorithm, "compressed_bytes": from, "bytes": to
    })
}

#[cfg(test)]
mod tests;
