use super::*;

#[test]
fn the_file_is_named_after_the_node() {
    for (name, file) in [
        ("one", "one.sock"),
        ("db-1.example_x", "db-1.example_x.sock"),
        (".hidden", "%2ehidden.sock"),
        ("../etc/x y", "%2e.%2fetc%2fx%20y.sock"),
        ("ä", "%c3%a4.sock"),
        ("", ".sock"),
    ] {
        assert_eq!(file_name(name.as_bytes()), file);
    }
}

#[test]
fn long_names_are_cut_and_still_differ() {
    let (one, two) = (file_name(&[b'a'; 254]), file_name(&[b'a'; 255]));
    assert_ne!(one, two);
    assert_eq!((one.len(), two.len()), (NAME_MAX + SUFFIX.len(), NAME_MAX + SUFFIX.len()));
    assert_eq!(file_name(&[b'a'; NAME_MAX]), "a".repeat(NAME_MAX) + SUFFIX);
}

#[test]
fn what_is_not_a_socket_is_an_error() {
    let path = std::env::temp_dir().join(format!("memberlist-socket-{}", std::process::id()));
    assert_eq!(presence(&path).unwrap(), Presence::Nothing);
    fs::write(&path, "").unwrap();
    assert!(presence(&path).is_err());
    fs::remove_file(&path).unwrap();
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    assert_eq!(presence(&path).unwrap(), Presence::Live);
    drop(listener);
    assert_eq!(presence(&path).unwrap(), Presence::Dead);
    fs::remove_file(&path).unwrap();
}
