use memberlist_proto::Config;

use super::*;

fn settings() -> Settings {
    Settings::new(Config::lan("n"))
}

#[test]
fn an_unreadable_file_is_named_in_one_line_with_the_place() {
    let path = file("broken", "label = \"blue\"\nprobe_interval = = 3\n");
    let reported = load(&mut settings(), &path).unwrap_err();
    assert!(reported.contains(": line 2: ") && !reported.contains('\n'), "{reported}");
    std::fs::remove_file(&path).unwrap();
    let reported = load(&mut settings(), &path).unwrap_err();
    assert!(reported.starts_with(&path.display().to_string()), "{reported}");
    let path = file("unknown", "[limits]\nstream = 3\n");
    let reported = load(&mut settings(), &path).unwrap_err();
    assert!(
        reported.contains("no field `limits.stream`; did you mean `limits.streams`?"),
        "{reported}"
    );
    std::fs::remove_file(path).unwrap();
    let reported = load(&mut settings(), Path::new("no\nfile")).unwrap_err();
    assert!(reported.starts_with("no\\nfile: "), "{reported}");
}

fn file(name: &str, text: &str) -> std::path::PathBuf {
    let path = std::env::temp_dir().join(format!("memberlist-{}-{name}.toml", std::process::id()));
    std::fs::write(&path, text).unwrap();
    path
}
