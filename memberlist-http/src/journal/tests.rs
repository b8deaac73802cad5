use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::*;

fn entry(class: Class, text: &str) -> Entry {
    let (kind, level) = ("joined", Level::Info);
    Entry { id: 0, time: 7, kind, level, text: text.to_owned(), node: None, class }
}

fn read(reader: &mut Reader) -> Option<String> {
    match reader.poll_next(&Context::from_waker(Waker::noop())) {
        Poll::Ready(Some(bytes)) => Some(String::from_utf8(bytes.to_vec()).expect("text")),
        Poll::Ready(None) => Some("end".to_owned()),
        Poll::Pending => None,
    }
}

fn all(reader: &mut Reader) -> String {
    std::iter::from_fn(|| read(reader)).collect()
}

#[test]
fn a_reader_gets_what_was_and_what_comes() {
    let journal = Journal::new(5, 9);
    journal.push(entry(Class::Members, "one"));
    let mut reader = journal.read(None).expect("a place");
    let first = all(&mut reader);
    assert!(first.starts_with("retry: 2000\n\nid: 5-1\ndata: {"), "{first}");
    assert!(first.contains("\"text\":\"one\"") && first.ends_with("}\n\n"), "{first}");
    journal.push(entry(Class::Members, "two\nlines"));
    let next = all(&mut reader);
    assert!(next.contains("id: 5-2\n") && next.contains("two\\nlines"), "{next}");
    journal.beat();
    assert_eq!(all(&mut reader), ": alive\n\n");
    journal.close();
    assert_eq!(read(&mut reader).as_deref(), Some("end"));
}

#[test]
fn a_reader_goes_on_where_it_was() {
    let journal = Journal::new(5, 9);
    for text in ["one", "two", "three"] {
        journal.push(entry(Class::Others, text));
    }
    let resumed = all(&mut journal.read(Some("5-2")).expect("a place"));
    assert!(!resumed.contains("two") && resumed.contains("three"), "{resumed}");
    for elsewhere in ["4-2", "nonsense", "5-", "-", ""] {
        let anew = all(&mut journal.read(Some(elsewhere)).expect("a place"));
        assert!(anew.contains("one") && anew.contains("three"), "{elsewhere}: {anew}");
    }
}

#[test]
fn a_slow_reader_learns_how_much_it_missed() {
    let journal = Journal::new(5, 9);
    journal.push(entry(Class::Others, "seen"));
    let mut reader = journal.read(None).expect("a place");
    assert!(all(&mut reader).contains("seen"));
    for number in 0..ENTRIES + 10 {
        journal.push(entry(Class::Others, &format!("n{number}")));
    }
    let text = all(&mut reader);
    assert!(text.starts_with("event: missed\ndata: {\"missed\":10}\n\nid: 5-12\n"), "{text:.200}");
    assert_eq!(text.matches("event: missed").count(), 1);
    assert_eq!(text.matches("\nid: ").count(), ENTRIES);
    // A new reader starts with what there is, and misses nothing.
    assert!(!all(&mut journal.read(None).expect("a place")).contains("missed"));
}

#[test]
fn a_flood_of_refusals_does_not_push_out_the_members() {
    let journal = Journal::new(5, 9);
    journal.push(entry(Class::Members, "the only one"));
    for _ in 0..5 * ENTRIES {
        journal.push(entry(Class::Others, "refused"));
    }
    assert_eq!(journal.lock().entries.len(), ENTRIES + 1);
    let text = all(&mut journal.read(None).expect("a place"));
    assert!(text.contains("the only one") && !text.contains("missed"), "{text:.300}");
}

#[test]
fn places_are_limited_and_given_back() {
    let journal = Journal::new(5, 2);
    let one = journal.read(None).expect("a place");
    let _two = journal.read(None).expect("a place");
    assert!(journal.read(None).is_none());
    drop(one);
    assert!(journal.read(None).is_some());
}

#[test]
fn every_reader_is_woken() {
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let journal = Journal::new(5, 9);
    let count = Arc::new(Count(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&count));
    let mut readers = [(); 3].map(|()| journal.read(None).expect("a place"));
    for reader in &mut readers {
        assert!(reader.poll_next(&Context::from_waker(&waker)).is_ready());
        assert!(reader.poll_next(&Context::from_waker(&waker)).is_pending());
    }
    journal.push(entry(Class::Members, "news"));
    assert_eq!(count.0.load(Ordering::Relaxed), 3);
}
