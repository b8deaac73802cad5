use super::*;

fn args(out: &Path, names: &[&str]) -> Args {
    Args {
        out: out.into(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        host: vec!["127.0.0.1".into(), "a.example".into()],
        days: 1,
    }
}

#[test]
fn an_authority_is_kept_and_nodes_get_certificates_of_it() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join(format!("../target/tmp/cert-{}", std::process::id()));
    run(&args(&folder, &["one", "two"])).expect("the target folder is writable");
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect(name);
    let authority = read("ca.pem");
    for file in ["ca.key", "one.pem", "one.key", "two.pem", "two.key"] {
        assert!(read(file).starts_with("-----BEGIN "), "{file}");
    }
    assert!(read("two.yml").contains("cert_file: two.pem"));
    let first = read("one.pem");
    run(&args(&folder, &["one"])).expect("it can be written again");
    assert_eq!(read("ca.pem"), authority);
    assert_ne!(read("one.pem"), first);
    #[cfg(unix)]
    for secret in ["ca.key", "one.key"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(folder.join(secret)).expect(secret).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret}");
    }
    fs::remove_dir_all(&folder).expect("it is there");
}

#[test]
fn names_that_are_no_file_names_are_refused() {
    for name in ["", "..", "a/b", "ca", ".hidden", "a b"] {
        let failure = run(&args(Path::new("nowhere"), &[name])).expect_err(name);
        assert!(matches!(failure, Failure::Usage(_)), "{name}: {failure}");
    }
    let mut wrong = args(Path::new("nowhere"), &["a"]);
    wrong.host = vec!["ü".into()];
    assert!(matches!(run(&wrong), Err(Failure::Usage(_))));
}
