//! A small model, written from the rules alone, beside the real stack. After each step everything that the API says of the contacts
//! concerned is compared with the model: which cases a message stands in and why, states, versions, deliveries, and what was sent.
//!
//! A failing run is made shorter and its steps are printed. `make prove-model` runs as many as one likes.

mod act;
mod agents;
mod compare;
mod stack;
mod steps;
mod text;
mod world;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use proptest::test_runner::{Config, RngSeed, TestRunner};
use proptest_state_machine::{ReferenceStateMachine as _, StateMachineTest};
use tokio::runtime::Runtime;

use crate::report;
use stack::{Harness, Stack};
use steps::{Rules, Step};
use world::World;

/// The seed of the short form, so that each run of it draws the same.
const SEED: u64 = 20_260_301;
/// Runs on one database, after which there is a new one.
const RUNS_ON_ONE: usize = 100;

thread_local! {
    static RUNTIME: Runtime = Runtime::new().expect("a runtime can be made");
    static HARNESS: RefCell<Option<Rc<Harness>>> = const { RefCell::new(None) };
    static RUNS: Cell<usize> = const { Cell::new(0) };
    static STEPS: Cell<usize> = const { Cell::new(0) };
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(future))
}

/// The processes of this thread; new ones after some runs.
fn harness(run: usize) -> Rc<Harness> {
    if run.is_multiple_of(RUNS_ON_ONE) {
        close_harness();
    }
    HARNESS.with_borrow_mut(|harness| {
        let harness = harness.get_or_insert_with(|| Rc::new(block_on(Harness::open())));
        Rc::clone(harness)
    })
}

fn close_harness() {
    if let Some(harness) = HARNESS.take() {
        let harness = Rc::into_inner(harness).expect("no run goes on");
        block_on(harness.close());
    }
}

/// The real stack beside the rules.
struct RealStack;

impl StateMachineTest for RealStack {
    type SystemUnderTest = Stack;
    type Reference = Rules;

    fn init_test(_: &World) -> Stack {
        let run = RUNS.replace(RUNS.get() + 1);
        let harness = harness(run);
        block_on(Stack::open(harness, run))
    }

    fn apply(mut stack: Stack, world: &World, step: Step) -> Stack {
        STEPS.set(STEPS.get() + 1);
        if std::env::var_os("PROOF_VERBOSE").is_some() {
            println!("{step:?}: {:?}", world.done);
        }
        block_on(async {
            let process = stack.act(world).await;
            compare::compare(&mut stack, world, process).await;
        });
        stack
    }

    fn teardown(mut stack: Stack, world: World) {
        block_on(async {
            compare::compare_all(&mut stack, &world).await;
            stack.close().await;
        });
    }
}

#[test]
fn the_service_does_what_the_rules_say() {
    let (cases, steps) = (report::size("CASES", 12), report::size("STEPS", 30));
    let seed = report::size("PROOF_SEED", SEED);
    println!("PROOF_SEED={seed} CASES={cases} STEPS={steps}");
    let config = Config {
        cases,
        max_shrink_time: report::size("PROOF_SHRINK_MS", 120_000),
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..Config::default()
    };
    let began = std::time::Instant::now();
    let result = TestRunner::new(config.clone()).run(
        &Rules::sequential_strategy(steps..=steps),
        |(world, steps, seen)| {
            RealStack::test_sequential(config.clone(), world, steps, seen);
            Ok(())
        },
    );
    if let Err(error) = result {
        // Whatever processes are left end with this one.
        panic!("{error}");
    }
    close_harness();
    report::publish(
        "model",
        ["model", "last full run"],
        &[
            ("machine", &report::machine()),
            ("seed", &seed),
            ("runs", &RUNS.get()),
            ("steps", &STEPS.get()),
            ("seconds", &began.elapsed().as_secs()),
            ("differences", &0),
        ],
    );
}
