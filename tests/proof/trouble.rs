//! Trouble of every kind, at random instants, for an installation of two processes under load.

use std::time::{Duration, Instant};

use docket::simulator::Fault;
use docket_tests::docket::{Docket, Environment};
use docket_tests::help_desk::HelpDesk;
use docket_tests::installation::Installation;
use docket_tests::log;
use docket_tests::proxy::{Network, Proxy};
use docket_tests::server::{Crash, Server};

use crate::load::Load;
use crate::verdict;

/// What happens to the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// A process is killed, and started again.
    KillService,
    /// Both processes are killed at once, and started again.
    KillBoth,
    /// Postgres ends without warning, and is started again.
    CrashPostgres(Crash),
    /// A process stands still while the other one works, and then goes on.
    Freeze,
    /// The connections of one process to Postgres break, several times in a row.
    Cut,
    /// What one process and Postgres say to each other does not arrive, while the other process works, and then comes late.
    Stall,
    /// The same, and then the connections break, so that it never comes.
    StallAndCut,
    /// Everything between one process and Postgres takes its time.
    Slow,
    /// One process cannot reach Postgres, while the other one works.
    Unreachable,
}

/// When a run is over.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Length {
    /// After each of the troubles happened so often.
    Rounds(usize),
    /// After that time.
    Time(Duration),
}

/// What a run came to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) seed: u64,
    pub(crate) seconds: u64,
    pub(crate) troubles: usize,
    pub(crate) messages: usize,
    pub(crate) repeated: usize,
    pub(crate) replies: usize,
    pub(crate) longest: Duration,
}

/// Two processes on one database, one of which reaches it by a network that we hold.
struct Pair {
    server: Server,
    proxy: Proxy,
    installation: Installation,
    /// The settings of the process that goes through the proxy.
    far: Environment,
    processes: [Option<Docket>; 2],
}

impl Pair {
    async fn serve(&mut self, n: usize) {
        let environment = [self.installation.environment(), &self.far][n];
        let process = Docket::serve(environment).await;
        self.installation.simulator.set_docket_url(process.url());
        self.processes[n] = Some(process);
    }

    fn process(&self, n: usize) -> &Docket {
        self.processes[n].as_ref().expect("it runs")
    }

    fn urls(&self) -> Vec<String> {
        self.processes
            .iter()
            .flatten()
            .map(|process| process.url().to_owned())
            .collect()
    }

    async fn are_ready(&self) {
        for process in self.processes.iter().flatten() {
            process.is_ready().await;
        }
    }
}

/// Lets a load run, lets all these kinds of trouble happen to it in random order, and then looks at what is left.
pub(crate) async fn run(seed: u64, troubles: &[Trouble], length: Length) -> Outcome {
    println!("PROOF_SEED={seed}: {troubles:?}, {length:?}");
    let server = Server::start().await;
    let proxy = Proxy::open(server.socket()).await;
    let mut installation = Installation::on(&server.url()).await;
    installation.set("DOCKET_SENDING_LEASE", "2");
    installation.set("DOCKET_VONAGE_RATE", "200");
    let mut desk = HelpDesk::open_in(installation, Some("%s1 cases are open: %s2")).await;
    let load = Load::prepare(&desk, seed).await;

    let mut far = desk.installation.environment().clone();
    far.retain(|(name, _)| name != "DATABASE_URL");
    far.push(("DATABASE_URL".to_owned(), server.url_at(proxy.port())));
    let mut pair = Pair {
        server,
        proxy,
        installation: desk.installation,
        far,
        processes: [Some(desk.docket), None],
    };
    pair.serve(1).await;
    load.go_to(pair.urls());
    pair.installation.simulator.script(faults(&load));

    let began = Instant::now();
    let mut happened = 0;
    let disturbing = async {
        loop {
            for trouble in shuffled(troubles, &load) {
                let many_more = 10 + load.draw(60);
                load.goes_on(many_more).await;
                let (since, so_far) = (Instant::now(), load.acknowledged());
                happen(&mut pair, &load, trouble).await;
                println!(
                    "{:>6.1} s: {trouble:?} for {:.1} s, {} messages",
                    began.elapsed().as_secs_f32(),
                    since.elapsed().as_secs_f32(),
                    load.acknowledged() - so_far
                );
                happened += 1;
            }
            let is_over = match length {
                Length::Rounds(rounds) => happened >= rounds * troubles.len(),
                Length::Time(time) => began.elapsed() >= time,
            };
            if is_over {
                break;
            }
            pair.installation.simulator.script(faults(&load));
        }
        load.goes_on(20).await;
        load.end();
    };
    futures_util::join!(load.run(), disturbing);
    let outcome = Outcome {
        seed,
        seconds: began.elapsed().as_secs(),
        troubles: happened,
        messages: load.acknowledged(),
        repeated: load.repeated.get(),
        replies: load.replied.borrow().len(),
        longest: load.longest.get(),
    };

    let [near, far] = pair.processes;
    desk.docket = near.expect("it runs");
    desk.installation = pair.installation;
    desk.owner = desk.owner.at(desk.docket.url());
    desk.installation
        .simulator
        .set_docket_url(desk.docket.url());
    verdict::all_is_well(&desk, &load).await;
    far.expect("it runs").stop().await;
    desk.close().await;
    pair.server.discard().await;
    outcome
}

/// What goes wrong with the next calls of Vonage's API: most go through.
fn faults(load: &Load) -> Vec<Fault> {
    (0..40)
        .map(|_| match load.draw(12) {
            0 => Fault::CutAfterAccept,
            1 => Fault::CutBeforeAccept,
            2 => Fault::status(503),
            3 => Fault::DuplicateStatuses,
            4 => Fault::ReversedStatuses,
            5 => Fault::StatusesBeforeAnswer,
            6 | 7 => Fault::Delay { delay_ms: 50 },
            _ => Fault::Pass,
        })
        .collect()
}

fn shuffled(troubles: &[Trouble], load: &Load) -> Vec<Trouble> {
    let mut left = troubles.to_vec();
    let mut shuffled = vec![];
    while !left.is_empty() {
        shuffled.push(left.swap_remove(load.draw(left.len())));
    }
    shuffled
}

async fn happen(pair: &mut Pair, load: &Load, trouble: Trouble) {
    // So many messages go by while one process is out of the way.
    let meanwhile = 20 + load.draw(40);
    match trouble {
        Trouble::KillService => {
            let n = load.draw(2);
            kill(pair, n);
            load.go_to(pair.urls());
            log::assert_there(&pair.installation.pool, &load.latest()).await;
            pair.serve(n).await;
        }
        Trouble::KillBoth => {
            for n in 0..2 {
                kill(pair, n);
            }
            log::assert_there(&pair.installation.pool, &load.latest()).await;
            for n in 0..2 {
                pair.serve(n).await;
            }
        }
        Trouble::CrashPostgres(how) => {
            pair.server.crash(how);
            let promised = load.latest();
            pair.server.ensure_running().await;
            log::assert_there(&pair.installation.pool, &promised).await;
        }
        Trouble::Freeze => {
            let n = load.draw(2);
            pair.process(n).freeze();
            load.goes_on(meanwhile).await;
            pair.process(n).thaw();
        }
        Trouble::Cut => {
            for _ in 0..5 {
                pair.proxy.cut();
                load.goes_on(1 + meanwhile / 10).await;
            }
        }
        Trouble::Stall | Trouble::StallAndCut => {
            pair.proxy.set(Network::Stalled);
            load.goes_on(meanwhile).await;
            if trouble == Trouble::StallAndCut {
                pair.proxy.cut();
            }
            pair.proxy.set(Network::Good);
        }
        Trouble::Slow => {
            pair.proxy.set(Network::Slow(Duration::from_millis(20)));
            load.goes_on(meanwhile).await;
            pair.proxy.set(Network::Good);
        }
        Trouble::Unreachable => {
            pair.proxy.set(Network::Closed);
            pair.proxy.cut();
            load.goes_on(meanwhile).await;
            pair.proxy.set(Network::Good);
        }
    }
    load.go_to(pair.urls());
    pair.are_ready().await;
}

fn kill(pair: &mut Pair, n: usize) {
    pair.processes[n].take().expect("it runs").kill();
}
