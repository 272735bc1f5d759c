//! The opponent in Rust: the crate governor, keyed, over its default store, a DashMap.
//!
//! It answers the commands of ../bench.c, and one way more: `counter` is governor with the clock
//! that it takes by itself, which reads the processor's counter; `clock` is the system's clock, as
//! for all others. Kind to it: a key is an array of 16 bytes, so that no String is looked up or
//! kept, and the supplied clock is one load.

use governor::clock::{Clock, DefaultClock, Reference, SystemClock};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use std::io::BufRead;
use std::num::NonZeroU32;
use std::ops::Add;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const KEY_LEN: usize = 16;

/// Requests for one `now`, as BENCH_TURN.
const TURN: usize = 1024;

type Key = [u8; KEY_LEN];

/// The clock that is supplied, in microseconds. Two threads set it to nearly the same, once a turn.
static NOW_US: AtomicU64 = AtomicU64::new(0);

#[derive(Debug, Copy, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct SuppliedInstant(u64);

impl Add<Nanos> for SuppliedInstant {
    type Output = Self;

    fn add(self, other: Nanos) -> Self {
        Self(self.0 + other.as_u64())
    }
}

impl Reference for SuppliedInstant {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_sub(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.saturating_sub(duration.as_u64()))
    }
}

#[derive(Clone)]
struct SuppliedClock;

impl Clock for SuppliedClock {
    type Instant = SuppliedInstant;

    fn now(&self) -> SuppliedInstant {
        SuppliedInstant(NOW_US.load(Ordering::Relaxed) * 1000)
    }
}

type Limiter<C> =
    RateLimiter<Key, DashMapStateStore<Key>, C, NoOpMiddleware<<C as Clock>::Instant>>;

struct Limiters {
    open: Limiter<SuppliedClock>,
    closed: Limiter<SuppliedClock>,
    keyed: Limiter<SuppliedClock>,
    open_clock: Limiter<SystemClock>,
    open_counter: Limiter<DefaultClock>,
}

impl Limiters {
    fn new() -> Self {
        let count = |n| NonZeroU32::new(n).expect("not zero");
        let open = Quota::per_second(count(1_000_000)).allow_burst(count(100_000_000));
        let closed = Quota::per_hour(count(1));
        let keyed = Quota::per_minute(count(1000));
        Limiters {
            open: RateLimiter::dashmap_with_clock(open, SuppliedClock),
            closed: RateLimiter::dashmap_with_clock(closed, SuppliedClock),
            keyed: RateLimiter::dashmap_with_clock(keyed, SuppliedClock),
            open_clock: RateLimiter::dashmap_with_clock(open, SystemClock),
            open_counter: RateLimiter::keyed(open),
        }
    }
}

#[derive(Copy, Clone)]
struct Load<'a> {
    keys: &'a [Key],
    at: usize,
    stride: usize,
    count: usize,
    start_us: u64,
}

/// Does one thread's load; the answer is how many were admitted.
fn each<C: Clock>(limiter: &Limiter<C>, load: Load) -> u64 {
    let mut allowed = 0;
    let mut at = load.at;
    let mut now_us = load.start_us;
    let mut left = load.count;
    while left > 0 {
        let turn = left.min(TURN);
        left -= turn;
        NOW_US.store(now_us, Ordering::Relaxed);
        for _ in 0..turn {
            allowed += u64::from(limiter.check_key(&load.keys[at]).is_ok());
            at += load.stride;
        }
        now_us += TURN as u64;
    }
    allowed
}

fn run_load(limiters: &Limiters, limit: &str, way: &str, load: Load) -> u64 {
    match (limit, way) {
        ("open", "clock") => each(&limiters.open_clock, load),
        ("open", "counter") => each(&limiters.open_counter, load),
        ("open", "check") => each(&limiters.open, load),
        ("closed", "check") => each(&limiters.closed, load),
        ("keyed", "check") => each(&limiters.keyed, load),
        _ => die(&format!("no {limit} limit in this way: {way}")),
    }
}

fn die(message: &str) -> ! {
    eprintln!("bench/rust: {message}");
    std::process::exit(2)
}

fn resident_bytes() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("/proc/self/statm");
    let pages: usize = text
        .split(' ')
        .nth(1)
        .and_then(|n| n.parse().ok())
        .expect("a number");
    pages * 4096
}

fn fill(keys: &[Key], step: usize) -> Limiters {
    let before = resident_bytes();
    let limiters = Limiters::new();
    let mut at = 0;
    for i in 0..keys.len() {
        let load = Load {
            keys,
            at,
            stride: 0,
            count: 1,
            start_us: i as u64,
        };
        each(&limiters.keyed, load);
        at = (at + step) % keys.len();
    }
    println!("{{\"bytes\": {}}}", resident_bytes() - before);
    limiters
}

fn run(limiters: &Limiters, keys: &[Key], words: &[&str]) {
    let number = |i: usize| -> usize {
        words[i]
            .parse()
            .unwrap_or_else(|_| die(&format!("no number: {}", words[i])))
    };
    let (limit, way, which) = (words[2], words[3], words[4]);
    let (first, threads, count) = (number(5), number(6), number(7));
    let load_of = |t: usize| -> Load {
        let (at, stride) = match which {
            "same" => (first, 0),
            "own" => (first + t, 0),
            "all" => (first + t * count, 1),
            _ => die(&format!("which keys are '{which}'?")),
        };
        Load {
            keys,
            at,
            stride,
            count,
            start_us: number(8) as u64,
        }
    };
    let ready = AtomicUsize::new(0);
    let results: Vec<(Instant, Instant, u64)> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads)
            .map(|t| {
                let load = load_of(t);
                let ready = &ready;
                scope.spawn(move || {
                    ready.fetch_add(1, Ordering::SeqCst);
                    while ready.load(Ordering::SeqCst) < threads {}
                    let start = Instant::now();
                    let allowed = run_load(limiters, limit, way, load);
                    (start, Instant::now(), allowed)
                })
            })
            .collect();
        handles
            .into_iter()
            .map(|h| h.join().expect("a thread"))
            .collect()
    });
    let start = results.iter().map(|r| r.0).min().expect("a thread");
    let end = results.iter().map(|r| r.1).max().expect("a thread");
    let allowed: u64 = results.iter().map(|r| r.2).sum();
    let elapsed: Duration = end - start;
    let ns = elapsed.as_nanos() as f64 / (count * threads) as f64;
    println!("{{\"ns\": {ns:.3}, \"allowed\": {allowed}}}");
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() != 4 || arguments[1] != "serve" {
        die("usage: weir-bench serve FILE STEP");
    }
    let bytes = std::fs::read(&arguments[2]).unwrap_or_else(|e| die(&e.to_string()));
    let keys: Vec<Key> = bytes
        .chunks_exact(KEY_LEN)
        .map(|key| key.try_into().expect("16 bytes"))
        .collect();
    drop(bytes);
    let step: usize = arguments[3]
        .parse()
        .unwrap_or_else(|_| die("STEP is a number"));
    let mut limiters: Option<Limiters> = None;
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("a line");
        let words: Vec<&str> = line.split_whitespace().collect();
        match (words.first().copied(), words.len()) {
            (Some("fill"), 2) => limiters = Some(fill(&keys, step)),
            (Some("run"), 9) => match &limiters {
                Some(limiters) => run(limiters, &keys, &words),
                None => die("fill first"),
            },
            _ => die(&format!("what is meant by: {line}")),
        }
    }
}
