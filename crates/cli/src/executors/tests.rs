use outwork_local::Inline;

use super::*;
use crate::args::{BrokerArgs, QueueArgs};

fn executors(config: &str) -> Executors {
    let mut own = ExecutorKinds::new();
    own.add("mine", |_, registry| Ok(Arc::new(Inline::new(registry)))).unwrap();
    Executors::new(toml::from_str(config).unwrap(), own)
}

fn args(executor: Option<&str>, queue: Option<&str>) -> ExecutorArgs {
    ExecutorArgs {
        executor: executor.map(str::to_owned),
        queue: QueueArgs { queue: queue.map(|queue| queue.to_owned().try_into().unwrap()) },
        broker: BrokerArgs { url: None, url_file: None, tls_ca: None },
    }
}

fn build(config: &str, flag: Option<&str>, in_flight: InFlight) -> Chosen {
    let (executors, args) = (executors(config), args(flag, None));
    let place = executors.place(&args).unwrap();
    executors.build(place, &args, in_flight, Registry::new()).unwrap()
}

#[track_caller]
fn check(config: &str, flag: Option<&str>, in_flight: InFlight, kind: &str, tasks: usize) {
    let chosen = build(config, flag, in_flight);
    let got = (chosen.executor.config().kind().to_owned(), chosen.in_flight.get());
    assert_eq!(got, (kind.to_owned(), tasks));
}

#[test]
fn the_flag_wins_over_the_configuration_and_that_over_the_default() {
    let threads = build("", None, InFlight::PoolSize);
    assert_eq!(threads.executor.config().kind(), "thread-pool");
    let config = "executor = 'x'\n[executors.x]\nkind = 'loops'\nsettings = { loops = 3 }";
    check(config, None, InFlight::PoolSize, "event-loop-pool", 3);
    check(config, Some("inline"), InFlight::PoolSize, "inline", 1);
}

#[test]
fn a_kind_of_the_users_own_is_a_name_and_a_kind_in_the_configuration() {
    check("", Some("mine"), InFlight::PoolSize, "inline", 1);
    check("[executors.x]\nkind = 'mine'", Some("x"), InFlight::PoolSize, "inline", 1);
}

#[test]
fn a_thread_pool_without_a_size_has_a_thread_for_each_that_is_to_run() {
    let seven = NonZeroUsize::new(7).unwrap();
    let workers = |flag, in_flight| build("", Some(flag), in_flight).executor.status().workers;
    assert_eq!(workers("threads", InFlight::Running(seven)), 7);
    assert_eq!(workers("threads:2", InFlight::Running(seven)), 2);
}

#[test]
fn an_executor_on_other_machines_is_a_stock_name_or_an_alias_with_a_queue() {
    let config = "[executors.farm]\nkind = 'amqp'\nsettings = { queue = 'cows' }";
    let queue = |flag, queue| {
        let place = executors(config).place(&args(Some(flag), queue)).unwrap();
        place.remote.map(|settings| settings.queue.to_string())
    };
    assert_eq!(queue("amqp", None).as_deref(), Some("outwork"));
    assert_eq!(queue("amqp", Some("mail")).as_deref(), Some("mail"));
    assert_eq!(queue("farm", None).as_deref(), Some("cows"));
    assert_eq!(queue("farm", Some("mail")).as_deref(), Some("mail"));
    assert_eq!(queue("threads", None), None);
    assert!(executors(config).place(&args(Some("threads"), Some("mail"))).is_err());
}

#[test]
fn over_amqp_as_many_are_in_flight_as_is_usual_there_when_nobody_says() {
    let [seven, nine] = [7, 9].map(|n| NonZeroUsize::new(n).unwrap());
    assert_eq!(InFlight::PoolSize.over_amqp().get(), 256);
    assert_eq!(InFlight::Usually { here: seven, remote: nine }.over_amqp(), nine);
    assert_eq!(InFlight::Usually { here: seven, remote: nine }.of_pool(1), seven);
    assert_eq!(InFlight::Tasks(seven).over_amqp(), seven);
    assert_eq!(InFlight::Running(seven).over_amqp(), seven);
}
