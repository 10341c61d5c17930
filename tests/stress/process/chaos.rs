//! What is done to the workers from outside.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use fastrand::Rng;
use rustix::process::{Pid, Signal, kill_process};

use super::plan::{Chaos, Plan};
use crate::system;

/// What ends a process, whatever it thinks of it.
const DEADLY: [Signal; 3] = [Signal::KILL, Signal::ABORT, Signal::QUIT];

/// What a process is called before its program is there: as the thread that starts it.
const SPAWNER: &str = "stress-spawn";

/// How many are stopped for good: each holds the round up until a limit ends it.
const STOPS: u64 = 6;

/// Disturbs workers until it is told that it is over. Gives how many it has disturbed.
pub(super) fn disturb(plan: &Plan, over: &AtomicBool) -> u64 {
    let (mut rng, mut disturbed) = (Rng::new(), 0);
    let most = match plan.chaos {
        Chaos::Nothing => return 0,
        Chaos::Kill | Chaos::Freeze => u64::MAX,
        Chaos::Stop => STOPS,
    };
    while disturbed < most && !over.load(Ordering::SeqCst) {
        thread::sleep(plan.pace.mul_f64(rng.f64()));
        // The thread that starts a process waits in the kernel until its program is there: when
        // it is stopped before, only who stopped it can let that thread go on.
        let mut children = system::children();
        children.retain(|child| !system::name_of(*child).starts_with(SPAWNER));
        let Some(child) = rng.choice(&children) else { continue };
        disturbed += 1;
        match plan.chaos {
            Chaos::Nothing => {}
            Chaos::Kill => signal(*child, *rng.choice(&DEADLY).unwrap_or(&Signal::KILL)),
            Chaos::Stop => {
                signal(*child, Signal::STOP);
                thread::sleep(Duration::from_millis(rng.u64(0..100)));
            }
            Chaos::Freeze => {
                signal(*child, Signal::STOP);
                thread::sleep(Duration::from_micros(rng.u64(0..8000)));
                signal(*child, Signal::CONT);
            }
        }
    }
    disturbed
}

fn signal(child: u32, signal: Signal) {
    let pid = i32::try_from(child).ok().and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It may be gone by now.
        let _ = kill_process(pid, signal);
    }
}
