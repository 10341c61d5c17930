//! Every fault at every moment.

use std::time::{Duration, Instant};

use outwork_amqp::QueueKind;
use outwork_test_broker::Broker;

use super::scene::{BACKOFF, HELD, Scene};
use crate::{
    proxy::{Line, Moment, Proxy},
    support::{PATIENCE, until},
};

const MOMENTS: [Moment; 7] = [
    Moment::Submit,
    Moment::Confirm,
    Moment::Deliver,
    Moment::Running,
    Moment::ResultPublish,
    Moment::ResultConfirm,
    Moment::Ack,
];

/// What breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The connection on which it happens is reset.
    Reset,
    /// Nothing passes any more on any connection of that side, and nobody is told.
    BlackHole,
    /// The broker closes all connections.
    ForcedClose,
    /// The broker is killed, and started again.
    BrokerKilled,
    /// The broker takes no messages for a while, for want of memory.
    MemoryAlarm,
    /// The broker closes the channel on which it happens.
    ChannelClosed,
    /// The broker cancels the consumer of that side.
    ConsumerCancelled,
}

/// How long the broker is short of memory.
const SHORTAGE: Duration = Duration::from_secs(1);

/// What a loaded machine takes for connecting and declaring, beside all pauses.
const WORK: Duration = Duration::from_secs(10);

impl Fault {
    /// How long it takes at most until it is noticed, beside the pauses before connecting.
    const fn notice(self) -> Duration {
        match self {
            // Two heartbeats, and as much until the broker gives up its side as well.
            Self::BlackHole => self.heartbeat().saturating_mul(4),
            _ => Duration::ZERO,
        }
    }

    /// A connection that says nothing for two of these is given up.
    const fn heartbeat(self) -> Duration {
        match self {
            Self::BlackHole => Duration::from_secs(3),
            _ => Duration::from_secs(30),
        }
    }

    fn strike(self, broker: &Broker, scene: &Scene, moment: Moment, line: &Line) {
        let is_client = matches!(moment, Moment::Submit | Moment::Confirm);
        let proxy: &Proxy = if is_client { &scene.of_client } else { &scene.of_worker };
        let vhost = scene.place.space.vhost();
        match self {
            Self::Reset => line.reset(),
            Self::BlackHole => proxy.lines().iter().for_each(Line::die),
            Self::ForcedClose => {
                broker.ctl(&["close_all_connections", "--vhost", vhost, "a test"]).unwrap();
            }
            Self::BrokerKilled => {
                broker.kill().unwrap();
                line.let_go();
                broker.resume().unwrap();
            }
            Self::MemoryAlarm => {
                broker.ctl(&["set_vm_memory_high_watermark", "0.00001"]).unwrap();
                line.let_go();
                std::thread::sleep(SHORTAGE);
                broker.ctl(&["set_vm_memory_high_watermark", "0.4"]).unwrap();
            }
            Self::ChannelClosed => line.break_channel(),
            Self::ConsumerCancelled => {
                let queue = if is_client { ".r." } else { ".q." };
                proxy.line_of(queue).cancel_consumer(queue);
            }
        }
        line.let_go();
    }
}

/// Breaks something at a moment of a task, with others around it, and looks what is left.
fn suffer(broker: &Broker, fault: Fault, moment: Moment, kind: QueueKind) {
    let start = Instant::now();
    let scene = Scene::new(broker, kind, fault.heartbeat());
    let before = start.elapsed();
    let is_client = matches!(moment, Moment::Submit | Moment::Confirm);
    let proxy = if is_client { &scene.of_client } else { &scene.of_worker };
    // The others are of many messages, or results, at once.
    let pass = if matches!(moment, Moment::Submit | Moment::Deliver) { 3 } else { 0 };
    let hold = proxy.hold_at(moment, pass);
    let (handles, (usable, took)) = std::thread::scope(|scope| {
        let submitting = scope.spawn(|| scene.submit(HELD..12));
        let line = if moment == Moment::Running {
            until("the body runs", || scene.bodies().runs_of(HELD) == 1);
            scene.of_worker.line_of(".q.")
        } else {
            hold.wait(PATIENCE)
        };
        fault.strike(broker, &scene, moment, &line);
        let took = scene.until_it_works();
        scene.bodies().let_go();
        (submitting.join().unwrap(), took)
    });
    let accepted = handles.len();
    println!(
        "{fault:?} at {moment:?}, {kind:?}: ready {before:?}, the broker after {usable:?}, \
         works again {took:?} later, {accepted} accepted after {:?}",
        start.elapsed()
    );
    let allowed = 2 * BACKOFF + fault.notice() + WORK;
    assert!(took <= allowed, "{fault:?} at {moment:?}: {took:?}, and {allowed:?} are allowed");
    scene.conclude(handles);
    println!("{fault:?} at {moment:?}: all in {:?}", start.elapsed());
}

/// Every moment, in turn with the one kind of queue and the other.
fn at_every_moment(broker: &Broker, fault: Fault) {
    let kinds = [QueueKind::Quorum, QueueKind::Classic];
    let first = fault as usize;
    for (n, moment) in MOMENTS.into_iter().enumerate() {
        suffer(broker, fault, moment, kinds[(first + n) % 2]);
    }
}

#[test]
fn a_connection_that_is_reset_costs_nothing_at_any_moment() {
    at_every_moment(&Broker::shared().unwrap(), Fault::Reset);
}

#[test]
fn a_connection_that_falls_silent_costs_nothing_at_any_moment() {
    at_every_moment(&Broker::shared().unwrap(), Fault::BlackHole);
}

#[test]
fn connections_that_the_broker_closes_cost_nothing_at_any_moment() {
    at_every_moment(&Broker::shared().unwrap(), Fault::ForcedClose);
}

#[test]
fn a_broker_that_is_killed_costs_nothing_at_any_moment() {
    at_every_moment(&Broker::private().unwrap(), Fault::BrokerKilled);
}

#[test]
fn a_broker_short_of_memory_costs_nothing_at_any_moment() {
    at_every_moment(&Broker::private().unwrap(), Fault::MemoryAlarm);
}

#[test]
fn a_channel_that_the_broker_closes_costs_nothing_at_any_moment() {
    at_every_moment(&Broker::shared().unwrap(), Fault::ChannelClosed);
}

#[test]
fn a_consumer_that_the_broker_cancels_costs_nothing_at_any_moment() {
    at_every_moment(&Broker::shared().unwrap(), Fault::ConsumerCancelled);
}
