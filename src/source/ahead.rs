//! Reads ahead on a thread of its own, so that whoever polls never waits for input, or less.
//!
//! Blocks travel through a bounded queue and come back to be filled again: when nobody takes them, the thread stops reading, and whoever
//! writes to the input waits. A block is cut into records where it lies: in front of what was read it has room for the beginning of a record that the one before ended with. The
//! thread ends with the input, or when its block finds nobody to take it; until then it may sit in a read that cannot be interrupted, which keeps no process from ending.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;

use super::blocks::{Feed, Unread};

/// How many blocks there are.
const BLOCKS: usize = 8;

/// So many go back at once: each time somebody has to be woken.
const RETURNED: usize = BLOCKS / 2;

/// How much room there is in front of what was read. Nearly all records are shorter.
const HEADROOM_BYTES: usize = 16 * 1024;

/// An input that is read by somebody else.
#[derive(Debug)]
pub(super) struct Ahead {
    /// Both have room for all blocks there are.
    filled: Receiver<io::Result<Filled>>,
    empty: SyncSender<Vec<u8>>,
    /// On their way back.
    spent: Vec<Vec<u8>>,
    wait: Wait,
    ended: bool,
}

/// What to do when nothing was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Say [`io::ErrorKind::WouldBlock`]: nobody knows when something comes.
    Never,
    /// Wait: it is being read.
    UntilRead,
}

/// What one read brought, behind the headroom.
#[derive(Debug)]
struct Filled {
    bytes: Vec<u8>,
    length: usize,
}

impl Ahead {
    /// Starts to read so many bytes at a time.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(
        name: &str,
        input: impl Read + Send + 'static,
        block_bytes: usize,
        wait: Wait,
    ) -> io::Result<Ahead> {
        let (filled_by, filled) = sync_channel(BLOCKS);
        let (empty, emptied) = sync_channel(BLOCKS);
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || read(input, block_bytes, &filled_by, &emptied))?;
        Ok(Ahead {
            filled,
            empty,
            spent: Vec::with_capacity(RETURNED),
            wait,
            ended: false,
        })
    }

    fn next(&mut self) -> io::Result<Filled> {
        let gone = || io::Error::other("its reader has ended without a word");
        match self.wait {
            Wait::Never => match self.filled.try_recv() {
                Ok(block) => block,
                Err(TryRecvError::Empty) => Err(io::ErrorKind::WouldBlock.into()),
                Err(TryRecvError::Disconnected) => Err(gone()),
            },
            Wait::UntilRead => self.filled.recv().map_err(|_| gone())?,
        }
    }
}

impl Feed for Ahead {
    fn feed(&mut self, unread: &mut Unread) -> io::Result<usize> {
        if self.ended {
            return Ok(0);
        }
        let Filled { bytes, length } = self.next()?;
        self.ended = length == 0;
        self.spent.push(unread.go_on(bytes, HEADROOM_BYTES, length));
        if self.spent.len() == RETURNED {
            for spent in self.spent.drain(..) {
                // Nobody takes it once the input has ended.
                let _ = self.empty.try_send(spent);
            }
        }
        Ok(length)
    }
}

/// Fills blocks until the input ends or nobody takes them. At the end there is an empty one.
fn read(
    mut input: impl Read,
    block_bytes: usize,
    filled: &SyncSender<io::Result<Filled>>,
    emptied: &Receiver<Vec<u8>>,
) {
    let whole = HEADROOM_BYTES + block_bytes;
    let mut made = 0;
    loop {
        let mut bytes = if made < BLOCKS {
            made += 1;
            Vec::new()
        } else if let Ok(spent) = emptied.recv() {
            spent
        } else {
            return;
        };
        // The first that comes back was made elsewhere.
        if bytes.len() < whole {
            bytes = vec![0; whole];
        }
        let block = loop {
            match input.read(&mut bytes[HEADROOM_BYTES..whole]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
                Ok(length) => break Ok(Filled { bytes, length }),
            }
        };
        let goes_on = block.as_ref().is_ok_and(|block| block.length > 0);
        if filled.send(block).is_err() || !goes_on {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::formats::Format;
    use crate::source::Record;
    use crate::source::blocks::{Block, Blocks};
    use std::io::{Write, pipe};
    use std::time::{Duration, Instant};

    const BLOCK_BYTES: usize = 128 * 1024;

    fn start(input: impl Read + Send + 'static) -> Ahead {
        Ahead::start("test", input, BLOCK_BYTES, Wait::Never).unwrap()
    }

    /// What comes next.
    fn next(ahead: &mut Ahead) -> io::Result<Vec<u8>> {
        let mut unread = Unread::new(10);
        let count = ahead.feed(&mut unread)?;
        assert_eq!(count, unread.rest().len());
        Ok(unread.rest().to_vec())
    }

    /// Everything until the end, and how often nothing was at hand.
    fn drain(ahead: &mut Ahead) -> io::Result<(Vec<u8>, u32)> {
        let (mut bytes, mut waits) = (Vec::new(), 0);
        loop {
            match next(ahead) {
                Ok(next) if next.is_empty() => return Ok((bytes, waits)),
                Ok(next) => bytes.extend(next),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    waits += 1;
                    thread::sleep(Duration::from_millis(1));
                }
                Err(error) => return Err(error),
            }
        }
    }

    #[test]
    fn bytes_come_through_in_order_and_are_waited_for_elsewhere() {
        let (reader, mut writer) = pipe().unwrap();
        let mut ahead = start(reader);
        let began = Instant::now();
        let nothing = next(&mut ahead).unwrap_err();
        assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
        assert!(began.elapsed() < Duration::from_millis(500));
        let sent: Vec<u8> = (0..3_000_000_u32)
            .map(|number| (number % 251) as u8)
            .collect();
        let wanted = sent.clone();
        let writing = thread::spawn(move || {
            for part in sent.chunks(70_001) {
                writer.write_all(part).unwrap();
            }
            thread::sleep(Duration::from_millis(20));
        });
        let (bytes, waits) = drain(&mut ahead).unwrap();
        assert!(bytes == wanted);
        assert!(waits > 0);
        writing.join().unwrap();
    }

    #[test]
    fn records_that_lie_in_several_blocks_are_whole() {
        let lengths = [
            10, 20_000, 3, 200_000, 40_000, 1, 16_384, 130_000, 0, 17_000,
        ];
        let lines: Vec<String> = (b'a'..)
            .zip(lengths)
            .map(|(byte, length)| char::from(byte).to_string().repeat(length))
            .collect();
        let text = lines.join("\n").into_bytes();
        let ahead = Ahead::start("test", io::Cursor::new(text), 32_768, Wait::UntilRead);
        let mut blocks = Blocks::new(ahead.unwrap(), Format::Json);
        let mut records = Vec::new();
        let mut take = |record: Record<'_>| records.push(record.bytes.to_vec());
        while blocks.poll(&mut take).unwrap() != Block::End {}
        let wanted = lines.iter().filter(|line| !line.is_empty());
        let wanted: Vec<Vec<u8>> = wanted.map(|line| line.clone().into_bytes()).collect();
        assert!(records == wanted);
    }

    #[test]
    fn an_input_that_nobody_takes_is_not_read_on() {
        /// Counts how often it was asked.
        struct Endless(std::sync::Arc<std::sync::atomic::AtomicUsize>);
        impl Read for Endless {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                Ok(buffer.len())
            }
        }
        let reads = std::sync::Arc::default();
        let ahead = start(Endless(std::sync::Arc::clone(&reads)));
        thread::sleep(Duration::from_millis(100));
        let count = reads.load(std::sync::atomic::Ordering::Relaxed);
        assert!((1..=BLOCKS).contains(&count), "{count}");
        drop(ahead);
    }

    #[test]
    fn an_error_comes_after_what_was_read_before_it() {
        struct Broken(u32);
        impl Read for Broken {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0 += 1;
                buffer[0] = b'a';
                if self.0 < 3 {
                    Ok(1)
                } else {
                    Err(io::Error::other("unplugged"))
                }
            }
        }
        let mut ahead = start(Broken(0));
        thread::sleep(Duration::from_millis(20));
        assert_eq!(next(&mut ahead).unwrap(), b"a");
        assert_eq!(next(&mut ahead).unwrap(), b"a");
        assert_eq!(drain(&mut ahead).unwrap_err().to_string(), "unplugged");
    }
}
