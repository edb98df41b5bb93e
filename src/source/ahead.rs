//! Reads ahead on a thread of its own, so that whoever polls never waits for input.
//!
//! Blocks travel through a bounded queue and come back to be filled again: when nobody takes them, the thread stops reading, and whoever
//! writes to the input waits. The thread ends with the input, or when its block finds nobody to take it; until then it
//! may sit in a read that cannot be interrupted, which keeps no process from ending.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;

/// How much is read at a time; more than a pipe holds.
const BLOCK_BYTES: usize = 128 * 1024;

/// How many blocks wait.
const BLOCKS: usize = 4;

/// An input that says [`io::ErrorKind::WouldBlock`] when nothing is at hand.
#[derive(Debug)]
pub(super) struct Ahead {
    filled: Receiver<io::Result<Block>>,
    /// Has room for all blocks there are.
    empty: SyncSender<Vec<u8>>,
    block: Block,
    taken: usize,
}

/// What one read brought.
#[derive(Debug, Default)]
struct Block {
    bytes: Vec<u8>,
    length: usize,
}

impl Ahead {
    /// Starts to read.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn start(name: &str, input: impl Read + Send + 'static) -> io::Result<Ahead> {
        let (filled_by, filled) = sync_channel(BLOCKS);
        let (empty, emptied) = sync_channel(BLOCKS + 2);
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || read(input, &filled_by, &emptied))?;
        Ok(Ahead {
            filled,
            empty,
            block: Block::default(),
            taken: 0,
        })
    }
}

/// Fills blocks until the input ends or nobody takes them.
fn read(mut input: impl Read, filled: &SyncSender<io::Result<Block>>, emptied: &Receiver<Vec<u8>>) {
    loop {
        let mut bytes = emptied.try_recv().unwrap_or_else(|_| vec![0; BLOCK_BYTES]);
        let block = loop {
            match input.read(&mut bytes) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
                Ok(0) => return,
                Ok(length) => break Ok(Block { bytes, length }),
            }
        };
        let failed = block.is_err();
        if filled.send(block).is_err() || failed {
            return;
        }
    }
}

impl Read for Ahead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.block.length {
            let next = match self.filled.try_recv() {
                Ok(next) => next?,
                Err(TryRecvError::Empty) => return Err(io::ErrorKind::WouldBlock.into()),
                Err(TryRecvError::Disconnected) => return Ok(0),
            };
            let read = std::mem::replace(&mut self.block, next);
            if !read.bytes.is_empty() {
                // Nobody takes it once the input has ended.
                let _ = self.empty.try_send(read.bytes);
            }
            self.taken = 0;
        }
        let rest = &self.block.bytes[self.taken..self.block.length];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.taken += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Write, pipe};
    use std::time::{Duration, Instant};

    /// Everything until the end, and how often nothing was at hand.
    fn drain(ahead: &mut Ahead) -> io::Result<(Vec<u8>, u32)> {
        let (mut bytes, mut waits) = (Vec::new(), 0);
        let mut buffer = [0; 1_000];
        loop {
            match ahead.read(&mut buffer) {
                Ok(0) => return Ok((bytes, waits)),
                Ok(count) => bytes.extend_from_slice(&buffer[..count]),
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
        let mut ahead = Ahead::start("test", reader).unwrap();
        let began = Instant::now();
        let mut buffer = [0; 10];
        let nothing = ahead.read(&mut buffer).unwrap_err();
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
        let ahead = Ahead::start("test", Endless(std::sync::Arc::clone(&reads))).unwrap();
        thread::sleep(Duration::from_millis(100));
        let count = reads.load(std::sync::atomic::Ordering::Relaxed);
        assert!((1..=BLOCKS + 1).contains(&count), "{count}");
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
        let mut ahead = Ahead::start("test", Broken(0)).unwrap();
        thread::sleep(Duration::from_millis(20));
        let mut buffer = [0; 10];
        assert_eq!(ahead.read(&mut buffer).unwrap(), 1);
        assert_eq!(ahead.read(&mut buffer).unwrap(), 1);
        assert_eq!(drain(&mut ahead).unwrap_err().to_string(), "unplugged");
    }
}
