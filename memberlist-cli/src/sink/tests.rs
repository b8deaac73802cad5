use super::*;

/// Takes so many bytes, then fails until it is emptied.
struct Disk {
    room: usize,
    text: Vec<u8>,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(self.room);
        if taken == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.room -= taken;
        self.text.extend(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_torn_line_does_not_garble_the_next() {
    let mut sink = Sink::new(Disk { room: 8, text: Vec::new() });
    sink.write(b"one\n").expect("there is room");
    assert_eq!(sink.write(b"two and more\n").expect_err("full").kind(), io::ErrorKind::StorageFull);
    sink.to.room = 1;
    // The room takes the line feed of the torn line.
    sink.write(b"three\n").expect_err("full");
    sink.to.room = 100;
    sink.write(b"four\n").expect("there is room");
    assert_eq!(String::from_utf8_lossy(&sink.to.text), "one\ntwo \nfour\n");
}

#[test]
fn an_output_that_would_block_is_waited_for() {
    struct Busy(u32, Vec<u8>);
    impl Write for Busy {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 % 3 {
                0 => Err(io::ErrorKind::WouldBlock.into()),
                1 => Err(io::ErrorKind::Interrupted.into()),
                _ => self.1.write(&bytes[..bytes.len().min(2)]),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut sink = Sink::new(Busy(0, Vec::new()));
    sink.write(b"a line\n").expect("written in the end");
    assert_eq!(sink.to.1, b"a line\n");
}
