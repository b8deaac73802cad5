use std::fs::File;
use std::path::PathBuf;

use super::*;

/// A certificate that is its own authority, in a folder that goes with it.
struct Files(PathBuf);

impl Files {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("memberlist-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let made = rcgen::generate_simple_self_signed(["node".to_owned()]).expect("a certificate");
        std::fs::write(folder.join("pem"), made.cert.pem()).expect("writable");
        std::fs::write(folder.join("key"), made.signing_key.serialize_pem()).expect("writable");
        Self(folder)
    }

    fn load(&self) -> Arc<Certificates> {
        let (certificate, key) = (self.0.join("pem"), self.0.join("key"));
        let settings = Tls::mutual(&certificate, key, &certificate);
        Arc::new(Certificates::load(settings).expect("valid files"))
    }

    /// Writes the key; with `unseen`, so that a look at the files shows no difference from before.
    fn write_key(&self, key: &[u8], unseen: bool) {
        let path = self.0.join("key");
        let file = || File::options().write(true).open(&path).expect("a file");
        let before = file().metadata().and_then(|it| it.modified()).expect("it has a time");
        std::fs::write(&path, key).expect("writable");
        let changed = if unseen { before } else { before + Duration::from_secs(1) };
        file().set_modified(changed).expect("it has a time");
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn read_again(certificates: &Arc<Certificates>) -> Result<bool, TlsError> {
    certificates.begin_reading().expect("nothing else reads").read()
}

/// A file may be on a share that does not answer.
#[test]
fn files_are_not_read_twice_at_a_time() {
    let files = Files::new("twice");
    let certificates = files.load();
    let reading = certificates.begin_reading().expect("nothing else reads");
    assert!(certificates.begin_reading().is_none());
    drop(reading);
    assert_eq!(read_again(&certificates), Ok(false));
}

#[test]
fn files_that_could_not_be_used_are_tried_again() {
    let files = Files::new("again");
    let certificates = files.load();
    let key = std::fs::read(files.0.join("key")).expect("the key");
    files.write_key(&vec![b'x'; key.len()], false);
    assert!(read_again(&certificates).is_err());
    assert_eq!(read_again(&certificates), Ok(false), "the same is reported once");
    files.write_key(&key, true);
    assert_eq!(read_again(&certificates), Ok(true));
    assert_eq!(read_again(&certificates), Ok(false));
}
