//! `stress local`: submit × cancel × resize × shutdown from many threads on the executors of one
//! process, round after round, each with an executor of its own.

mod audit;
mod body;
mod client;
mod held;
mod ledger;
mod plan;
mod round;
mod stage;
mod subject;
mod submit;
mod tale;
mod tally;

use std::{
    sync::mpsc::Sender,
    time::{Duration, Instant},
};

pub(crate) use self::round::{Site, hang};

use self::{
    plan::{Kind, Plan},
    tally::Tally,
};
use crate::{args::LocalArgs, panics, system::Holdings, watch};

/// How often the stress says how far it is.
const PACE: Duration = Duration::from_secs(5);

/// What the stress has to say to the thread that watches over it.
pub(crate) enum Report {
    Progress(String),
    Ended(Result<String, String>),
}

/// Runs rounds until the time is up or something is wrong.
pub(crate) fn run(args: &LocalArgs, seed: u64, site: &Site, reports: &Sender<Report>) {
    panics::watch();
    // Nobody hears it when the watching thread has given up.
    let tell = |report| drop(reports.send(report));
    let end = rounds(args, seed, site, &|line| tell(Report::Progress(line)));
    tell(Report::Ended(end));
}

fn rounds(
    args: &LocalArgs,
    seed: u64,
    site: &Site,
    tell: &dyn Fn(String),
) -> Result<String, String> {
    for kind in Kind::ALL {
        round::warm_up(&Plan::warm_up(seed, kind), site)?;
    }
    let (began, holdings) = (Instant::now(), Holdings::now());
    let (mut tally, mut told, mut number) = (Tally::default(), began, args.round);
    while began.elapsed() < Duration::from_secs(args.seconds) {
        round::run(&Plan::of(seed, number), site, holdings, &mut tally)?;
        watch::tidy();
        number += u64::from(!args.repeat);
        if told.elapsed() >= PACE {
            told = Instant::now();
            tell(tally.line(began.elapsed()));
        }
    }
    if !args.repeat {
        tally.check_reach()?;
    }
    Ok(format!("{}\nno fault, with seed {seed}; {holdings} as before", tally.line(began.elapsed())))
}
