//! Many asks at once.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread;

use crate::domain::verdict::Ask;

/// How many asks are worth a thread of their own.
const ASKS_A_THREAD: usize = 64;

/// Has each ask judged, on as many processors as there are. The answers stand in the order of the asks.
///
/// # Errors
/// Why one of them could not be judged.
pub fn each<T: Send, E: Send>(asks: &[Ask], judge: impl Fn(&Ask) -> Result<T, E> + Sync) -> Result<Vec<T>, E> {
    let processors = thread::available_parallelism().map_or(1, NonZero::get);
    let shares = processors.min(asks.len() / ASKS_A_THREAD).max(1);
    let judged = |asks: &[Ask]| asks.iter().map(&judge).collect::<Result<Vec<T>, E>>();
    if shares == 1 {
        return judged(asks);
    }
    let judged = &judged;
    thread::scope(|scope| {
        let mut shares = asks.chunks(asks.len().div_ceil(shares));
        let own = shares.next().unwrap_or_default();
        // Where no thread can be had, this one does its work afterwards.
        let beside: Vec<_> = shares
            .map(|share| (share, thread::Builder::new().spawn_scoped(scope, move || judged(share)).ok()))
            .collect();
        let mut answers = vec![judged(own)];
        // All are waited for, also after a failure: a thread that nobody waits for would turn its panic into everybody's.
        answers.extend(beside.into_iter().map(|(share, thread)| match thread {
            Some(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            None => judged(share),
        }));
        Ok(answers.into_iter().collect::<Result<Vec<_>, E>>()?.into_iter().flatten().collect())
    })
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
