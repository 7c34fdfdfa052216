//! Many asks at once.

use std::sync::OnceLock;

use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::domain::verdict::Ask;

/// How many asks are worth a thread of their own.
const ASKS_A_THREAD: usize = 64;

/// Has each ask judged, on as many processors as there are. The answers stand in the order of the asks.
///
/// # Errors
/// Why one of them could not be judged.
pub fn each<T: Send, E: Send>(asks: &[Ask], judge: impl Fn(&Ask) -> Result<T, E> + Sync) -> Result<Vec<T>, E> {
    match pool() {
        Some(pool) if asks.len() >= 2 * ASKS_A_THREAD => {
            pool.install(|| asks.par_iter().with_min_len(ASKS_A_THREAD).map(&judge).collect())
        }
        _ => asks.iter().map(&judge).collect(),
    }
}

/// Threads that wait for asks; `None` where none can be had. They stay, because one that is made for a few hundred asks costs a stack and
/// the allocator's caches each time.
fn pool() -> Option<&'static ThreadPool> {
    static POOL: OnceLock<Option<ThreadPool>> = OnceLock::new();
    POOL.get_or_init(|| ThreadPoolBuilder::new().thread_name(|nth| format!("whowas-ask-{nth}")).build().ok()).as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(count: usize) -> Vec<Ask> {
        let numbered = |nth| Ask { chain: Some(format!("chain-{nth}").parse().unwrap()), ..Ask::default() };
        (0..count).map(numbered).collect()
    }

    fn chain(ask: &Ask) -> String {
        ask.chain.as_ref().map(ToString::to_string).unwrap_or_default()
    }

    #[test]
    fn answers_stand_in_the_order_of_the_asks() {
        for count in [0, 1, 63, 64, 127, 128, 129, 1_000, 1_001] {
            let answers = each(&asks(count), |ask| Ok::<_, ()>(chain(ask))).unwrap();
            assert_eq!(answers, (0..count).map(|nth| format!("chain-{nth}")).collect::<Vec<_>>());
        }
    }

    #[test]
    fn one_that_fails_is_told_wherever_it_stands() {
        for failing in [0, 10, 499, 500, 999] {
            let name = format!("chain-{failing}");
            let judge = |ask: &Ask| if chain(ask) == name { Err(name.clone()) } else { Ok(()) };
            assert_eq!(each(&asks(1_000), judge).unwrap_err(), name);
        }
    }
}
