use clap::Parser;

use super::*;

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    transport: TransportArgs,
}

fn flags(flags: &[&str]) -> Transport {
    let program = Program::try_parse_from([&["program"], flags].concat()).expect("valid flags");
    program.transport.transport().expect("valid settings")
}

#[test]
fn flags_choose_the_transport() {
    assert_eq!(flags(&[]), Transport::udp_tcp());
    assert_eq!(flags(&["--framing", "dskit"]), Transport::tcp(Framing::Dskit));
    let certificate = ["--tls-cert", "a.pem", "--tls-key", "a.key", "--tls-ca", "ca.pem"];
    let mut tls = Tls::mutual("a.pem", "a.key", "ca.pem");
    assert_eq!(flags(&certificate), Transport::tls(Framing::Alertmanager, tls.clone()));
    tls.server_name = Some("here".into());
    let all = [&certificate[..], &["--tls-server-name", "here", "--framing", "dskit"]].concat();
    assert_eq!(flags(&all), Transport::tls(Framing::Dskit, tls));
}

#[test]
fn flags_that_do_not_fit_are_refused() {
    for wrong in [
        &["--tls-cert", "a.pem"][..],
        &["--tls-key", "a.key"],
        &["--tls-ca", "ca.pem"],
        &["--tls-config", "f.yml", "--tls-cert", "a", "--tls-key", "b", "--tls-ca", "c"],
        &["--framing", "pigeon"],
    ] {
        assert!(Program::try_parse_from([&["program"], wrong].concat()).is_err(), "{wrong:?}");
    }
}

#[test]
fn the_file_is_alertmanagers() {
    let text = "
tls_server_config:
  cert_file: node.pem
  key_file: /elsewhere/node.key
  client_ca_file: ca.pem
  client_auth_type: RequireAndVerifyClientCert
tls_client_config:
  ca_file: ca.pem
  cert_file: client.pem
  key_file: client.key
  server_name: cluster
";
    let tls = parse(text, Path::new("/folder")).expect("a valid file");
    let mut expected = Tls::mutual("/folder/node.pem", "/elsewhere/node.key", "/folder/ca.pem");
    expected.client_certificate = Some(("/folder/client.pem".into(), "/folder/client.key".into()));
    expected.server_name = Some("cluster".into());
    assert_eq!(tls, expected);

    let least = "{tls_server_config: {cert_file: a, key_file: b, client_auth_type: NoClientCert},
        tls_client_config: {insecure_skip_verify: true}}";
    let tls = parse(least, Path::new("")).expect("a valid file");
    assert_eq!((tls.client_auth, tls.client_ca, tls.ca), (ClientAuth::None, None, None));
    assert!(tls.insecure_skip_verify && tls.client_certificate.is_none());
}

#[test]
fn a_client_certificate_is_required_unless_the_file_says_otherwise() {
    let text = "{tls_server_config: {cert_file: a, key_file: b}}";
    let tls = parse(text, Path::new("")).expect("a valid file");
    assert_eq!(tls.client_auth, ClientAuth::RequireAndVerify);
}

#[test]
fn a_wrong_file_is_refused_in_words() {
    let cases = [
        ("", "end of input"),
        ("tls_client_config: {}", "tls_server_config"),
        ("tls_server_config: {cert_file: a}", "key_file"),
        ("tls_server_config: {cert_file: a, key_file: b, min_version: TLS13}", "min_version"),
        ("tls_server_config: {cert_file: a, key_file: b, client_auth_type: Maybe}", "Maybe"),
        (
            "{tls_server_config: {cert_file: a, key_file: b}, tls_client_config: {cert_file: c}}",
            "go together",
        ),
        ("tls_server_config: [", ""),
    ];
    for (text, word) in cases {
        let error = parse(text, Path::new("")).expect_err(text);
        assert!(error.contains(word) && !error.is_empty(), "{text}: {error}");
    }
}
