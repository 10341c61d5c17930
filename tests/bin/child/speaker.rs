//! A worker that only speaks the protocol, just far enough to die at a moment at which a real one
//! cannot be caught.

use std::{
    env, fs,
    io::{self, Read, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    path::PathBuf,
};

use outwork_core::BoxError;
use serde::{Deserialize, Serialize};

use crate::tasks::{Death, Moment, await_file};

/// The kinds of frames that it knows.
const HELLO: u8 = 0x01;
const TASK: u8 = 0x02;
const LEAVE: u8 = 0x06;
const READY: u8 = 0x81;
const STARTED: u8 = 0x83;
const DONE: u8 = 0x84;

/// What a task's frame has before its payload.
const ID: usize = 16;

/// Plays a worker, if this process is to; then it does not return in good order.
pub(crate) fn play_if_asked() -> Result<(), BoxError> {
    let args: Vec<_> = env::args_os().skip(3).collect();
    let [word, folder] = &args[..] else { return Ok(()) };
    if word != "speaker" {
        return Ok(());
    }
    let folder = PathBuf::from(folder);
    let (moment, death) = rmp_serde::from_slice(&fs::read(folder.join("part"))?)?;
    Speaker::new(folder)?.play(moment, death)
}

/// The pool's first words, as far as they have to be answered.
#[derive(Deserialize)]
struct Hello {
    protocol: u32,
    build: String,
    fingerprint: u64,
}

#[derive(Serialize)]
struct Ready {
    protocol: u32,
    build: String,
    fingerprint: u64,
    pid: u32,
}

struct Header {
    length: u32,
    seq: u64,
}

struct Speaker {
    channel: UnixStream,
    folder: PathBuf,
}

impl Speaker {
    fn new(folder: PathBuf) -> io::Result<Self> {
        let channel = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        Ok(Self { channel, folder })
    }

    fn play(mut self, moment: Moment, death: Death) -> Result<(), BoxError> {
        if moment == Moment::Greeting {
            return self.die(death);
        }
        await_file(&self.folder.join("enter"));
        let hello = self.await_frame(HELLO)?;
        let Hello { protocol, build, fingerprint } = rmp_serde::from_slice(&self.body(&hello)?)?;
        let ready = Ready { protocol, build, fingerprint, pid: std::process::id() };
        let ready = rmp_serde::to_vec_named(&ready)?;
        self.say(READY, 0, ready.len(), &ready)?;
        match moment {
            Moment::Greeting | Moment::Ready => {}
            Moment::Sent => self.await_frame(TASK).map(|_| ())?,
            Moment::Answering => self.answer_by_half()?,
            Moment::Leaving => self.await_frame(LEAVE).map(|_| ())?,
        }
        self.die(death)
    }

    /// Begins a task, and says half of a result that is as long as its payload.
    fn answer_by_half(&mut self) -> Result<(), BoxError> {
        let task = self.await_frame(TASK)?;
        let body = self.body(&task)?;
        self.say(STARTED, task.seq, 0, &[])?;
        await_file(&self.folder.join("now"));
        let result = &body[ID..];
        self.say(DONE, task.seq, result.len(), &result[..result.len() / 2])?;
        Ok(())
    }

    fn die(&self, death: Death) -> Result<(), BoxError> {
        death.strike_once_there_is(&self.folder.join("now"));
        Err("it did not die".into())
    }

    /// Reads the header of the next frame, which has to be of this kind.
    fn await_frame(&mut self, kind: u8) -> Result<Header, BoxError> {
        let mut bytes = [0; 24];
        self.channel.read_exact(&mut bytes)?;
        let [l0, l1, l2, l3, found, _, _, _, q0, q1, q2, q3, q4, q5, q6, q7, ..] = bytes;
        if found != kind {
            return Err(format!("a frame of kind {found} came, and not of kind {kind}").into());
        }
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        let seq = u64::from_le_bytes([q0, q1, q2, q3, q4, q5, q6, q7]);
        Ok(Header { length, seq })
    }

    fn body(&mut self, header: &Header) -> io::Result<Vec<u8>> {
        let mut body = vec![0; header.length as usize];
        self.channel.read_exact(&mut body)?;
        Ok(body)
    }

    /// Says a frame, or as much of it as is given of a body that has such a length.
    fn say(&mut self, kind: u8, seq: u64, length: usize, body: &[u8]) -> Result<(), BoxError> {
        let mut header = [0; 24];
        header[..4].copy_from_slice(&u32::try_from(length)?.to_le_bytes());
        header[4] = kind;
        header[8..16].copy_from_slice(&seq.to_le_bytes());
        self.channel.write_all(&header)?;
        self.channel.write_all(body)?;
        Ok(())
    }
}
