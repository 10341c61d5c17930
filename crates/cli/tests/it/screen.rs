use std::{
    fs::File,
    io::Read,
    os::fd::OwnedFd,
    sync::mpsc::{Receiver, channel},
    time::Instant,
};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::support::{DEADLINE, spawn};

/// A terminal with a person before it.
pub struct Terminal {
    pub keyboard: File,
    screen: Receiver<Vec<u8>>,
    seen: String,
}

impl Terminal {
    /// The person's side, and the program's.
    pub fn open() -> (Self, OwnedFd) {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keyboard).unwrap();
        unlockpt(&keyboard).unwrap();
        let path = ptsname(&keyboard, Vec::new()).unwrap();
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
        let tty = rustix::fs::open(&*path, flags, rustix::fs::Mode::empty()).unwrap();
        let keyboard = File::from(keyboard);
        let mut screen = keyboard.try_clone().unwrap();
        let (show, shown) = channel();
        spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = screen.read(&mut buffer) {
                if show.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        (Self { keyboard, screen: shown, seen: String::new() }, tty)
    }

    #[track_caller]
    pub fn shows(&mut self, text: &str) {
        let end = Instant::now() + DEADLINE;
        while !self.seen.contains(text) {
            let left = end.saturating_duration_since(Instant::now());
            let piece = self.screen.recv_timeout(left);
            let piece = piece.unwrap_or_else(|_| panic!("{text:?} is not in {:?}", self.seen));
            self.seen.push_str(&String::from_utf8_lossy(&piece));
        }
    }
}
