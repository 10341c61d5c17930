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
use crate::{args::RunArgs, panics, report::Report, system::Holdings, watch};

/// How often the stress says how far it is.
const PACE: Duration = Duration::from_secs(5);

/// Runs rounds until the time is up or something is wrong.
pub(crate) fn run(args: &RunArgs, seed: u64, site: &Site, reports: &Sender<Report>) {
    panics::watch();
    let end = rounds(args, seed, site, &|line| Report::Progress(line).to(reports));
    Report::Ended(end).to(reports);
}

fn rounds(args: &RunArgs, seed: u64, site: &Site, tell: &dyn Fn(String)) -> Result<String, String> {
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
